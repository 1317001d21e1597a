"""Becomes one Lambda execution environment: `python -I -S sandbox.py <settings> <handler>`.

If the kernel allows it, the process gets mounts of its own: /opt with the layers, /var/task with
the code, both read-only, and an empty /tmp of the configured size. Otherwise the function finds
the same directories by path, and shares /tmp.

Uses only the standard library: this runs before the function's path is set up.
"""

import ctypes
import json
import os
import resource
import sys
from pathlib import Path

CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18
MS_NOSUID, MS_NODEV = 2, 4

_libc = ctypes.CDLL(None, use_errno=True)
_HIDDEN = (Path("/opt"), Path("/tmp"), Path("/var"))


def _check(result: int, what: str) -> None:
    if result:
        raise OSError(ctypes.get_errno(), what)


def mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """Mounts a file system, like the system call of that name.

    Raises:
        OSError: The call failed.
    """
    kind_bytes = kind.encode() if kind else None
    _check(
        _libc.mount(
            source.encode(), target.encode(), kind_bytes, ctypes.c_ulong(flags), options.encode()
        ),
        f"mount {target}",
    )


def enter_namespace() -> None:
    """Gives the process mounts of its own, in a user namespace if it is not root.

    Raises:
        OSError: The kernel allows neither.
    """
    user, group = os.getuid(), os.getgid()
    if user == 0 and _libc.unshare(CLONE_NEWNS) == 0:
        mount("none", "/", None, MS_REC | MS_PRIVATE)
        return
    _check(_libc.unshare(CLONE_NEWNS | CLONE_NEWUSER), "unshare")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    mount("none", "/", None, MS_REC | MS_PRIVATE)


def bind(descriptor: int, target: Path, *, read_only: bool) -> None:
    """Shows an open directory at `target` as well."""
    target.mkdir(parents=True, exist_ok=True)
    mount(f"/proc/self/fd/{descriptor}", str(target), None, MS_BIND | MS_REC)
    if read_only:
        # In a user namespace, a remount must keep the flags that the mount already has.
        flags = MS_REMOUNT | MS_BIND | MS_RDONLY
        try:
            mount("none", str(target), None, flags)
        except PermissionError:
            mount("none", str(target), None, flags | MS_NOSUID | MS_NODEV)


def lay_out(task: str, layers: str, tmp_bytes: int, keep: list[str]) -> None:
    """Mounts the directories of a Lambda environment.

    Args:
        task: The function's code.
        layers: The content of its layers.
        tmp_bytes: The size of /tmp.
        keep: Directories that must stay in place although /opt, /tmp or /var are replaced, such as
            the interpreter's.
    """
    # Opened inside the new namespace: a directory opened outside cannot be mounted in it.
    opened = {
        path: os.open(path, os.O_PATH | os.O_DIRECTORY)
        for path in {task, layers, *keep}
        if path in (task, layers) or any(Path(path).is_relative_to(top) for top in _HIDDEN)
    }
    mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, f"size={tmp_bytes},mode=1777")
    mount("tmpfs", "/var", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
    if any(Path(path).is_relative_to("/opt") for path in keep):
        # The content of /opt is needed: it shares a directory of mounts with the layers.
        mount("tmpfs", "/opt", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
        for entry in os.scandir(opened[layers]):
            target = Path("/opt", entry.name)
            if entry.is_dir():
                directory = os.open(entry.name, os.O_PATH, dir_fd=opened[layers])
                bind(directory, target, read_only=True)
                os.close(directory)
    else:
        bind(opened[layers], Path("/opt"), read_only=True)
    bind(opened[task], Path("/var/task"), read_only=True)
    for path in keep:
        if path in opened:
            bind(opened[path], Path(path), read_only=False)
    for descriptor in opened.values():
        os.close(descriptor)


def main() -> None:
    """Sets up the environment and becomes the runtime client."""
    settings, handler = json.loads(sys.argv[1]), sys.argv[2]
    task, layers = settings["task"], settings["layers"]
    try:
        enter_namespace()
    except OSError as error:
        print(f"No mounts of its own for this function: {error}", file=sys.stderr)
    else:
        lay_out(task, layers, settings["tmp_bytes"], settings["keep"])
        task, layers = "/var/task", "/opt"
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.environ |= {
        "LAMBDA_TASK_ROOT": task,
        "PYTHONPATH": f"{layers}/python",
        "PYTHONPYCACHEPREFIX": settings["bytecode"],
        "LD_LIBRARY_PATH": f"{task}:{task}/lib:{layers}/lib",
        "PATH": f"{layers}/bin:{os.environ['PATH']}",
    }
    os.chdir(task)
    os.execv(settings["python"], [settings["python"], "-m", "awslambdaric", handler])


main()
