"""Child name: how a child is called, in full and in the system's list of processes. Pure."""

from typing import Final

from lightwork.errors import UsageError

DEFAULT_NAME: Final = "lightwork-child"
# What the kernel keeps of a name, less the zero at its end.
_TITLE_MAX: Final = 15


def check_name(name: object) -> str:
    """Return the name of a pool.

    Raises:
        UsageError: It is no text, empty, or not printable.
    """
    if isinstance(name, str) and name and name.isprintable():
        return name
    raise UsageError(f"name must be printable text, such as 'images'; seen: {name!r}")


def child_title(pool: str, serial: int) -> bytes:
    """Return what `ps` and `top` show: the number in full, as much of the name as fits."""
    number = f"-{serial}".encode()
    room = _TITLE_MAX - len(b"lw:") - len(number)
    # Cut between characters, not inside of one.
    shown = pool.encode()[: max(room, 0)].decode(errors="ignore").rstrip("- ")
    return b"lw:" + shown.encode() + number
