"""Key file: a secret on disk that nobody but its owner could ever read; finding.py reads it."""

import contextlib
import os
import secrets
from pathlib import Path
from typing import Final

from lightwork.errors import UsageError

_AUTHKEY_SIZE: Final = 32


def new_authkey() -> str:
    """Return 32 random bytes as text, so that the key survives an editor and a clipboard."""
    return secrets.token_hex(_AUTHKEY_SIZE)


def create(path: Path, secret: str) -> None:
    """Write a secret to a new file, of mode 0600 from its first moment.

    Raises:
        UsageError: There is something of this name already, or it cannot be written.
    """
    try:
        # O_EXCL: what is there, be it a link, is neither followed nor overwritten.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise UsageError(
            f"{path} is there already, and may be a key that others use; choose another name, or "
            "delete it first"
        ) from error
    except OSError as error:
        raise _unwritten(path, error) from error
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{secret}\n")
            file.flush()
            os.fsync(descriptor)
    except OSError as error:
        # Half a key is worse than none.
        with contextlib.suppress(OSError):
            path.unlink()
        raise _unwritten(path, error) from error


def _unwritten(path: Path, error: OSError) -> UsageError:
    return UsageError(f"the key file {path} cannot be written: {error.strerror}")
