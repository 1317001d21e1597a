"""Serverless caches of ElastiCache: each is a `redis-server` on loopback, over TLS.

Users have the rights of their access strings. The server cannot check a token of IAM, so it takes
any password of a user whom AWS would let in by IAM.
"""

# mypy: disable-error-code="import-not-found"

import contextlib
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from ministack.services import ec2, elasticache
from ministack.services.cloudformation import provisioners

_START_S = 30.0


class Caches:
    """The servers that run; they end with this process, whose group they are in."""

    def __init__(self, root: Path, certificate: tuple[str, str]) -> None:
        """Makes none yet.

        Args:
            root: For the servers' files.
            certificate: Files of the certificate and its key.
        """
        self._root = root
        self._certificate = certificate
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def create(
        self, logical_id: str, properties: dict[str, Any], stack: str
    ) -> tuple[str, dict[str, Any]]:
        """Starts a cache's server; returns the cache's name and attributes."""
        name = properties["ServerlessCacheName"]
        program = shutil.which("redis-server") or shutil.which("valkey-server")
        if program is None:
            raise ValueError(f"{logical_id}: no redis-server here (Debian: redis-server)")
        if name in self._running:
            raise ValueError(f"{logical_id}: there is a cache {name}")
        folder = self._root / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "users.acl").write_text(_users(properties.get("UserGroupId")))
        port = _free_port()
        certificate, key = self._certificate
        arguments = [
            *(program, "--bind", "127.0.0.1", "--port", "0", "--tls-port", str(port)),
            *("--tls-cert-file", certificate, "--tls-key-file", key, "--tls-auth-clients", "no"),
            *("--save", "", "--appendonly", "no", "--maxmemory-policy", "volatile-lru"),
            *("--aclfile", "users.acl", "--loglevel", "warning", "--logfile", "log"),
        ]
        process = subprocess.Popen(arguments, cwd=folder, stdin=subprocess.DEVNULL)
        self._running[name] = process
        _wait(process, port, folder / "log")
        # Functions trust it by this variable, as they trust Amazon's authority in an account.
        os.environ["SSL_CERT_FILE"] = certificate
        arn = elasticache._arn_user(name).replace(":user:", ":serverlesscache:")
        address = {"Endpoint.Address": "127.0.0.1", "Endpoint.Port": str(port)}
        return name, {"ARN": arn, "Status": "available", **address}

    def delete(self, name: str, _properties: dict[str, Any]) -> None:
        """Ends a cache's server."""
        process = self._running.pop(name, None)
        if process is not None:
            process.kill()
            process.wait()

    def reset(self) -> None:
        """Ends all servers."""
        for name in list(self._running):
            self.delete(name, {})


def _users(group: str | None) -> str:
    """Returns the users of a group as the server's access control list."""
    if group is None:
        return "user default on nopass ~* &* +@all\n"
    if group not in elasticache._user_groups:
        raise ValueError(f"there is no user group {group}")
    users = [elasticache._users[one] for one in elasticache._user_groups[group]["UserIds"]]
    return "user default off\n" + "".join(
        f"user {user['UserName']} nopass {user['AccessString']}\n" for user in users
    )


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + _START_S
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
            return
        if process.poll() is not None or time.monotonic() > until:
            process.kill()
            process.wait()
            raise ValueError(log.read_text() if log.exists() else "the cache did not start")
        time.sleep(0.02)


def _create_ingress(
    logical_id: str, properties: dict[str, Any], _stack: str
) -> tuple[str, dict[str, Any]]:
    """A rule of a security group that is a resource of its own; nothing is filtered here."""
    group = ec2._security_groups[properties["GroupId"]]
    group["IpPermissions"] += provisioners._ec2_sg_permissions([properties])
    return f"{properties['GroupId']}-{logical_id}", {}


def install(root: Path, certificate: tuple[str, str]) -> None:
    """Makes templates with serverless caches deploy.

    Args:
        root: For the servers' files.
        certificate: Files of the servers' certificate and its key.
    """
    caches = Caches(root, certificate)
    provisioners._RESOURCE_HANDLERS["AWS::ElastiCache::ServerlessCache"] = {
        "create": caches.create,
        "delete": caches.delete,
    }
    provisioners._RESOURCE_HANDLERS["AWS::EC2::SecurityGroupIngress"] = {
        "create": _create_ingress,
        "delete": lambda *_: None,  # it goes with its group
    }
    reset = elasticache.reset

    def reset_all() -> None:
        caches.reset()
        reset()

    elasticache.reset = reset_all
