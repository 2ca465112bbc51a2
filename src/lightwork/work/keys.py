"""Keys: where the key that signs pickles comes from: never from a command line."""

import os
import stat
from pathlib import Path

from lightwork.errors import UsageError


def find_authkey(authkey: bytes = b"", *, file: str = "") -> bytes:
    """Return the key that was given, the file's, LIGHTWORK_AUTHKEY's, or none.

    Raises:
        UsageError: The file cannot be read, is empty, or others may read it.
    """
    if authkey:
        return authkey
    if file:
        return _read_key(Path(file))
    return os.environ.get("LIGHTWORK_AUTHKEY", "").encode()


def _read_key(path: Path) -> bytes:
    try:
        mode = path.stat().st_mode
        key = path.read_bytes().strip()
    except OSError as error:
        raise UsageError(f"the key file {path} cannot be read: {error.strerror}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError(
            f"the key file {path} may be read by others (mode {stat.S_IMODE(mode):04o}); "
            f"run: chmod 600 {path}"
        )
    if len(key) < 16:
        raise UsageError(f"the key file {path} holds {len(key)} bytes; expected at least 16")
    return key
