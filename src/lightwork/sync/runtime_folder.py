"""Runtime folder: where the processes of one user on this machine meet.

It has the broker's socket and the arena. Whoever can write there could pose as the broker, so the
folder must belong to this user alone; it is opened once, without following a link, looked
at, and all in it is named relative to what was opened. Nothing here is worth keeping: it may be deleted when nothing
of lightwork runs.

Called by client and broker alike; imports next to nothing, for the broker starts with it.
"""

import os
import stat
from typing import Final

from lightwork.errors import UsageError

VARIABLE: Final = "LIGHTWORK_RUNTIME_DIR"


def runtime_path() -> str:
    """Return where the folder is: as the environment says, below the user's own, or a temporary one."""
    if named := os.environ.get(VARIABLE):
        return os.path.abspath(named)  # noqa: PTH100 - pathlib: 10 ms to import
    if folder := os.environ.get("XDG_RUNTIME_DIR"):
        return f"{folder}/lightwork"
    return f"{os.environ.get('TMPDIR') or '/tmp'}/lightwork-{os.geteuid()}"  # noqa: S108 - looked at below


def open_runtime_folder(path: str) -> int:
    """Make the folder if it is missing, and return a descriptor of it.

    Raises:
        UsageError: It is not this user's alone.
    """
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)  # noqa: PTH103 - as above
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise UsageError(
            f"{path!r} cannot be the folder in which the processes of this user meet: expected a folder, "
            f"or that it can be made; seen: {error.strerror}. Remove it, or name another in {VARIABLE}"
        ) from error
    try:
        _check(path, os.fstat(folder))
    except BaseException:
        os.close(folder)
        raise
    return folder


def _check(path: str, seen: os.stat_result) -> None:
    if seen.st_uid != os.geteuid() or stat.S_IMODE(seen.st_mode) & 0o077:
        raise UsageError(
            f"the folder {path!r} is not this user's alone: expected uid {os.geteuid()} and mode 0700, "
            f"seen uid {seen.st_uid} and mode {stat.S_IMODE(seen.st_mode):04o}. Remove it, or name "
            f"another in {VARIABLE}"
        )
