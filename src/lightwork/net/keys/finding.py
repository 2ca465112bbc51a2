"""Keys: where the key that signs pickles comes from: never from a command line."""

import os
import stat
from pathlib import Path

from lightwork.codec import check_authkey
from lightwork.codec.signing import too_short
from lightwork.errors import UsageError


def find_authkey(authkey: bytes = b"", *, file: str = "") -> bytes:
    """Return the key that was given, the file's, LIGHTWORK_AUTHKEY's, or none.

    Raises:
        UsageError: The key is too short, or its file cannot be read or is not the user's alone.
    """
    if authkey:
        return check_authkey(authkey)
    if file:
        return _read_key(Path(file))
    return check_authkey(os.environb.get(b"LIGHTWORK_AUTHKEY", b""), "LIGHTWORK_AUTHKEY")


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
    if not key:
        raise too_short(key, f"the key file {path}")
    return check_authkey(key, f"the key file {path}")
