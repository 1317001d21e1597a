"""The CDK app that belongs to this package, and the settings of the folder where it is used."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import excamera
from excamera.errors import DeploymentFailed, NoProject

SETTINGS = "cdk.json"


@dataclass(frozen=True, slots=True)
class Project:
    """A stack to deploy.

    Attributes:
        app: folder with app.py, the packages that it deploys, and cdk.json with the defaults.
        here: folder whose cdk.json, if there is one, has settings that differ.
    """

    app: Path
    here: Path

    @property
    def own_settings(self) -> Path | None:
        """The file with settings that differ from the defaults, if there is one."""
        file = self.here / SETTINGS
        return file if file.is_file() and self.here != self.app else None

    def context(self) -> dict[str, Any]:
        """The settings: the defaults, replaced one by one by those of the folder.

        Raises:
            DeploymentFailed: the folder's cdk.json cannot be read, or names an unknown setting.
        """
        defaults = _context(self.app / SETTINGS)
        if self.own_settings is None:
            return defaults
        own = _context(self.own_settings)
        _refuse_unknown(own, defaults, self.own_settings)
        return {**defaults, **own}


def project() -> Project:
    """The stack that this package deploys: its own, or that of the clone in which it lies.

    Raises:
        NoProject: it has none, or the current folder is another clone, with another one.
    """
    package = Path(excamera.__file__).resolve().parent
    own = package / "_deploy"
    app, here = own if own.is_dir() else package.parent, Path.cwd()
    if not _is_app(app):
        raise NoProject(f"{package} has no stack to deploy: install a wheel of excamera[aws]")
    if _is_app(here) and here != app:
        raise NoProject(
            f"{here} has a stack of its own, but this command deploys that of {app}: use the "
            "`excamera` of this clone (.venv/bin/excamera), or another folder"
        )
    return Project(app, here)


def _is_app(folder: Path) -> bool:
    return all((folder / name).exists() for name in ("app.py", SETTINGS, "stacks"))


def _context(file: Path) -> dict[str, Any]:
    try:
        context = json.loads(file.read_bytes()).get("context", {})
    except (OSError, ValueError, AttributeError) as error:
        raise DeploymentFailed(f"{file} is no readable JSON object: {error}") from error
    if not isinstance(context, dict):
        raise DeploymentFailed(f"{file}: context must be an object of settings, not {context!r}")
    return context


def _refuse_unknown(own: Mapping[str, Any], known: Mapping[str, Any], file: Path) -> None:
    """Refuse names that would be ignored; those with a colon are the CDK's own."""
    for name in own:
        if name not in known and ":" not in name:
            near = difflib.get_close_matches(name, known, 1)
            raise DeploymentFailed(
                f"{file}: there is no setting {name}"
                + (f"; {near[0]} is one" if near else "; docs/deploy.md has them all")
            )
