"""Base64url: bytes as text without padding, in one spelling only (RFC 4648, section 5)."""

import base64
import binascii


def encode(data: bytes) -> str:
    """Return bytes as letters, digits, "-" and "_"."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Return what `encode` was given.

    Raises:
        ValueError: `encode` writes no such text.
    """
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise ValueError("not base64url") from error
    # The decoder of the standard library skips what it does not know, and spare bits.
    if encode(data) != text:
        raise ValueError("not base64url as it is written here")
    return data
