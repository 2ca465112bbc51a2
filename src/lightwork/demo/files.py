"""Files: which Python files the demo measures."""

import sysconfig
from pathlib import Path
from typing import Final

from lightwork.errors import UsageError

# What people installed beside the standard library is not part of it.
_INSTALLED: Final = {"site-packages", "dist-packages"}


def standard_library() -> Path:
    """Return the folder of the running interpreter's standard library."""
    return Path(sysconfig.get_path("stdlib"))


def python_files(folder: Path, *, limit: int = 0) -> list[Path]:
    """Return the Python files below a folder, in order; with a limit, spread over all.

    Raises:
        UsageError: There are none.
    """
    files = sorted(
        path
        for path in folder.rglob("*.py")
        if path.is_file() and _INSTALLED.isdisjoint(path.relative_to(folder).parts)
    )
    if not files:
        raise UsageError(
            f"no Python source file below {folder}; the demo needs an interpreter "
            "that was installed with the sources of its standard library"
        )
    if 0 < limit < len(files):
        return [files[number * len(files) // limit] for number in range(limit)]
    return files
