"""The directory that becomes the code of every function."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

from layers.builder import open_to_readers

ROOT = Path(__file__).resolve().parent.parent
_PACKAGES = ("functions", "excamera", "mu")
_LEFT_OUT = ("excamera/cli", "excamera/cloud")


def function_code(build: Path = ROOT / "build") -> Path:
    """Copy the packages that handlers import; the folder's name is a digest of the files."""
    files = sorted(
        path.relative_to(ROOT)
        for package in _PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if not path.relative_to(ROOT).as_posix().startswith(_LEFT_OUT)
    )
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.as_posix()}\n".encode() + (ROOT / file).read_bytes())
    target = build / "functions" / digest.hexdigest()[:20]
    if target.is_dir():
        open_to_readers(target)
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        staged = Path(folder) / "code"
        for file in files:
            (staged / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / file, staged / file)
        open_to_readers(staged)
        try:
            staged.rename(target)
        except OSError:  # another synthesis was faster
            if not target.is_dir():
                raise
    return target
