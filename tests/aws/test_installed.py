"""The wheel alone, in an environment of its own, from which a user deploys without a clone."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from emulator.excamera.deployed import digest
from emulator.excamera.synthesis import HOST_CONTEXT
from layers import prebuilt, release
from layers.native import library
from mu.packages.platforms import MACHINES
from tests.support.assembly import ROOT, built, template

pytestmark = [
    pytest.mark.aws,
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("make"), reason="make is not installed"),
]

MACHINE = platform.machine()
PATIENCE_S = 600


def done(*command: object, **given: object) -> subprocess.CompletedProcess[str]:
    """Runs a command, which must succeed."""
    ran: subprocess.CompletedProcess[str] = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False,
        timeout=PATIENCE_S, **given,
    )  # type: ignore[call-overload]  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    return ran


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The released wheel for this machine, with the library that layers have."""
    folder = tmp_path_factory.mktemp("wheels")
    prebuilt.write(ROOT / "build" / "prebuilt", MACHINES.values())
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    # Not what it depends on: this environment has it, or this test would not run.
    asked = done("make", "--no-print-directory", "-n", "-B", "wheel", f"WHEELS={folder}",
                 cwd=ROOT, env=environment).stdout  # fmt: skip
    [recipe] = re.findall(r"^PATH.*pip wheel (?:.*\\\n)*.*", asked, re.M)
    recipe = recipe.replace(".venv/bin/python", sys.executable)
    done("/bin/sh", "-c", recipe, cwd=ROOT, env=environment)
    [made] = folder.glob("*.whl")
    name = f"manylinux_2_28_{MACHINE}"
    [released] = release.write(made, folder / "released", {name: release.PLATFORMS[name]})
    return released


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new environment in which only the wheel is installed, with its extra."""
    venv = tmp_path_factory.mktemp("user") / "venv"
    done(sys.executable, "-m", "venv", "--without-pip", venv)
    python = venv / "bin" / "python"
    done(
        sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-compile",
        "--disable-pip-version-check", "-c", ROOT / "constraints.txt", f"{wheel}[aws]",
    )  # fmt: skip
    return python


def test_a_wheel_is_for_its_platform(wheel: Path) -> None:
    """If this fails, pip refuses the wheel, or takes one with the library of another machine."""
    tag = f"py3-none-manylinux_2_28_{MACHINE}"
    assert wheel.name == f"excamera-0.1.0-{tag}.whl"
    with zipfile.ZipFile(wheel) as archive:
        about = archive.read("excamera-0.1.0.dist-info/WHEEL").decode()
        own = archive.read("codec/_native/libexcamera_codec.so")
    assert [line for line in about.splitlines() if line.startswith("Tag:")] == [f"Tag: {tag}"]
    assert own == library(release.PLATFORMS[f"manylinux_2_28_{MACHINE}"]).read_bytes()


def test_the_wheel_adds_three_names(wheel: Path) -> None:
    """If this fails, the wheel puts `stacks` or `functions` beside everybody's own packages."""
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names} == {
        "codec", "mu", "excamera", "excamera-0.1.0.dist-info",
    }  # fmt: skip
    libraries = [name for name in names if name.startswith("excamera/_deploy/prebuilt/")]
    assert sorted(name.rpartition("/")[2].partition("-linux")[0] for name in libraries) == [
        "aarch64", "x86_64",
    ]  # fmt: skip


def test_a_wheel_is_enough_to_deploy(python: Path, tmp_path: Path) -> None:
    """If this fails, users need a clone or a compiler, or deploy another stack than developers."""
    cache = done(sys.executable, "-m", "pip", "cache", "dir").stdout.strip()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
        "PATH": str(python.parent),  # no compiler, make, node or other Python
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PIP_CACHE_DIR": cache,
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    (tmp_path / "empty").mkdir()
    [package] = python.parent.parent.glob("lib/python*/site-packages/excamera")
    before = sorted(package.rglob("*"))
    out = tmp_path / "cdk.out"
    synth = done(
        python.with_name("excamera"), "synth", "--output", out,
        *(f"-c{name}={value}" for name, value in HOST_CONTEXT.items()),
        cwd=tmp_path / "empty", env=environment,
    )  # fmt: skip
    assert "layer codec" in synth.stdout
    assert "copying the library that came with the package" in synth.stdout
    assert not list((tmp_path / "empty").iterdir())
    assert sorted(package.rglob("*")) == before, "an installed package may be read-only"
    assert (tmp_path / "cache" / "excamera" / "layers").is_dir()

    # What is deployed is what other tests deploy and run.
    ours = tmp_path / "ours"
    assert template(out) == built(ours, copies=True, **HOST_CONTEXT)
    assert assets(out) == assets(ours) != {}


def assets(folder: Path) -> dict[str, tuple[bool, str]]:
    """Returns the digest of each file of an assembly's assets, and whether it is a program."""
    return {
        str(path.relative_to(folder)): (os.access(path, os.X_OK), digest(path.read_bytes()))
        for path in folder.glob("asset.*/**/*")
        if path.is_file()
    }


def commands_of(page: str) -> list[tuple[str, list[str]]]:
    """Returns the commands of a page's consoles, each with the lines that it prints."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"^```console\n(.*?)^```$", page, re.M | re.S):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line.removeprefix("$ "), []))
            else:
                found[-1][1].append(line)
    return found


def without_figures(lines: list[str]) -> list[str]:
    """Returns lines whose figures may differ, and so how they are set."""
    return [" ".join(re.sub(r"\d[\d.,]*", "#", line).split()) for line in lines]


def test_the_page_of_the_first_film_is_followed(wheel: Path, tmp_path: Path) -> None:
    """If this fails, a newcomer who types what docs/first-film.md says sees something else."""
    commands = commands_of((ROOT / "docs" / "first-film.md").read_text())
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(Path(sys.base_prefix, "bin", "python3"))
    folder = tmp_path / "films"
    folder.mkdir()
    shutil.copy(wheel, folder)
    between = "=" * 20
    script = f"\necho {between}\n".join(command for command, _ in commands)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
        "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin",
        "PIP_CONSTRAINT": str(ROOT / "constraints.txt"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "EXCAMERA_WORK_DIR": str(tmp_path / "work"),
    }
    ran = done("bash", "-euo", "pipefail", "-c", script, cwd=folder, env=environment)
    printed = [part.strip("\n").splitlines() for part in ran.stdout.split(between)]
    for (command, expected), lines in zip(commands, printed, strict=True):
        assert without_figures(lines) == without_figures(expected), command
