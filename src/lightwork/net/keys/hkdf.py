"""HKDF: many keys from one, none of which tells another (RFC 5869, with SHA-256)."""

import hashlib
import hmac
from typing import Final

KEY_SIZE: Final = hashlib.sha256().digest_size


def hkdf(secret: bytes, info: bytes, *, salt: bytes = b"", size: int = KEY_SIZE) -> bytes:
    """Return a key of `size` bytes that only who has the secret can tell.

    Args:
        secret: Random bytes, no password: nothing here slows down who guesses.
        info: What the key is for.
        salt: What else makes it another one; may be known to all.
        size: At most 255 times that of a digest.
    """
    extracted = hmac.digest(salt or bytes(KEY_SIZE), secret, "sha256")
    block, made, count = b"", b"", 0
    while len(made) < size:
        count += 1
        block = hmac.digest(extracted, block + info + bytes((count,)), "sha256")
        made += block
    return made[:size]
