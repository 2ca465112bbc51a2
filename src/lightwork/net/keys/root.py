"""Root: the transport child of an authkey, from which the keys of all holders come.

    prefix = HKDF(authkey, "lightwork key id 1"), 6 bytes: tells authkeys apart, is no secret
    root   = HKDF(authkey, "lightwork transport 1")
    key    = HKDF(root, "role/name")

A root says nothing about the payload key, which is another child of the authkey
(codec/signing.py). So a server that is given its root alone, as `lightwork key derive
--role server` prints it, knows every transport key and can sign no pickle.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from lightwork.codec import check_authkey
from lightwork.codec.signing import DERIVED, too_short
from lightwork.errors import UsageError
from lightwork.net.keys import base64url
from lightwork.net.keys.hkdf import KEY_SIZE, hkdf

# No authkey that `lightwork key new` makes begins so.
MARK: Final = DERIVED.decode()
PREFIX_SIZE: Final = 6
_SERVER: Final = MARK + "server."
_PREFIX: Final = re.compile(r"[A-Za-z0-9_-]{8}", re.ASCII)
_EXPECTED: Final = f"{_SERVER}PREFIX.SECRET, as `lightwork key derive --role server` prints it"


@dataclass(frozen=True, slots=True)
class Root:
    """One authkey, as far as the wire is concerned.

    Attributes:
        prefix: 8 characters with which the ids of its keys end.
        secret: 32 bytes.
    """

    prefix: str
    secret: bytes = field(repr=False)

    def key_of(self, info: str) -> bytes:
        """Return the key that is derived for "role/name"."""
        return hkdf(self.secret, info.encode())

    def text(self) -> str:
        """Return it as one line, for the key file of a server that is to know no more."""
        return f"{_SERVER}{self.prefix}.{base64url.encode(self.secret)}"


def root_of(material: bytes) -> Root:
    """Return the root of an authkey, or the one that is printed as text.

    Raises:
        UsageError: It is neither.
    """
    if not material:
        raise too_short(material, "authkey")
    check_authkey(material)
    if material.startswith(_SERVER.encode()):
        return _parse(material.decode("ascii", "replace"))
    if material.startswith(DERIVED):
        raise UsageError(
            "this key was derived for one holder, and no other can be derived from it; "
            "expected the authkey"
        )
    return Root(
        base64url.encode(hkdf(material, b"lightwork key id 1", size=PREFIX_SIZE)),
        hkdf(material, b"lightwork transport 1"),
    )


def is_root_text(text: str) -> bool:
    """Whether the text is meant to be that of a root."""
    return text.startswith(_SERVER)


def _parse(text: str) -> Root:
    # No part of the text stands in an error: it is a secret, and errors are logged.
    prefix, _, secret = text.strip().removeprefix(_SERVER).partition(".")
    if not _PREFIX.fullmatch(prefix):
        raise UsageError(f"the key is damaged: its prefix; expected {_EXPECTED}")
    return Root(prefix, check_secret(secret, _EXPECTED))


def check_secret(secret: str, expected: str) -> bytes:
    """Return the bytes of a printed secret.

    Raises:
        UsageError: They are not 32; `expected` is how a key looks.
    """
    try:
        data = base64url.decode(secret)
    except ValueError:
        data = b""
    if len(data) != KEY_SIZE:
        raise UsageError(
            f"the key is damaged: its secret has {len(secret)} characters, or some that do not "
            f"belong there; expected {expected}, with 43"
        )
    return data
