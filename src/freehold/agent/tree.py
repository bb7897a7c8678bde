"""Lay out the immutable copy that agents run from: never the user's environment.

An environment may be upgraded or removed under a running agent; this folder never changes. It is
named by the digest of its content, made aside and renamed, so that two makers cannot collide.
"""

from __future__ import annotations

import hashlib
import os
import py_compile
import shutil
import sys
import tempfile
from pathlib import Path

_ENTRY = '''"""Start the agent of one member: main.py <member folder>."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from freehold.agent.main import run

sys.exit(run(sys.argv[1:]))
'''


def lay_out(target: Path) -> Path:
    """Return ``target/<digest>``, made if it is missing: an agent tree for this interpreter.

    Files are 0644 and folders 0755 whatever the umask, for unprivileged hook workers read them.
    """
    contents = _contents()
    digest = hashlib.sha256()
    for name, data in sorted(contents.items()):
        digest.update(f"{name}\0{len(data)}\0".encode())
        digest.update(data)
    folder = target / digest.hexdigest()[:16]
    if not (folder / "main.py").is_file():
        _make(folder, contents)
    return folder


def _contents() -> dict[str, bytes]:
    import h11  # noqa: PLC0415  the agent itself never lays out trees
    import msgspec  # noqa: PLC0415

    ours = Path(__file__).resolve().parent.parent
    contents = {"main.py": _ENTRY.encode(), "python": sys.version.encode()}
    contents["freehold/__init__.py"] = (ours / "__init__.py").read_bytes()
    for package in ("foundation", "agent"):
        contents |= _package(ours / package, f"freehold/{package}")
    for module in (h11, msgspec):
        contents |= _package(Path(str(module.__file__)).resolve().parent, module.__name__)
    return contents


def _package(folder: Path, name: str) -> dict[str, bytes]:
    return {
        f"{name}/{path.relative_to(folder).as_posix()}": path.read_bytes()
        for path in folder.rglob("*")
        if path.suffix in (".py", ".so")
    }


def _make(folder: Path, contents: dict[str, bytes]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=".making-", dir=folder.parent))
    try:
        for name, data in contents.items():
            path = aside / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            if path.suffix == ".py":
                # Hash-checked never: the folder is immutable, and a worker may not write here.
                py_compile.compile(
                    str(path),
                    dfile=str(folder / name),
                    invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
                )
        for path in (aside, *aside.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        try:
            os.rename(aside, folder)  # noqa: PTH104  fails when the other maker was first
        except OSError:
            if not (folder / "main.py").is_file():
                raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
