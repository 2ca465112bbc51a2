"""Keyring: transport keys: of one holder as text, and all of a server's without a list.

    key id = role.name.prefix                    e.g. submit.web1.w5Zr0bJ1; crosses the wire
    text   = lwk1.role.name.prefix.secret        one line; what `lightwork key derive` prints

The id says how the key is derived, so a server needs no list of keys: only the authkeys
(two while one takes the place of the other) and the names that it no longer trusts.

An id that the keyring does not know has a key all the same, of a root that nobody
has: whoever asks is answered in the same way and the same time.
"""

import hmac
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from lightwork.codec.signing import DERIVED
from lightwork.errors import UsageError
from lightwork.net.keys import base64url
from lightwork.net.keys.hkdf import KEY_SIZE
from lightwork.net.keys.roles import OWNER, Role, check_name, check_role
from lightwork.net.keys.root import (
    MARK,
    Root,
    check_secret,
    is_root_text,
    root_of,
)

# Of the longest name; whatever is longer is no id.
MAX_KEY_ID: Final = 96
_EXPECTED: Final = f"{MARK}ROLE.NAME.PREFIX.SECRET, as `lightwork key derive` prints it"
_KEY_ID: Final = re.compile(
    r"(submit|work|view|admin)\.([A-Za-z0-9][A-Za-z0-9_-]{0,63})\.([A-Za-z0-9_-]{8})", re.ASCII
)


@dataclass(frozen=True, slots=True)
class TransportKey:
    """What its holder proves to know; it signs no pickle, and no other key comes from it.

    Attributes:
        key_id: Names it on the wire; no secret.
        role: What the holder may do.
        name: Who that is, in logs and in the list of those that are revoked.
        secret: 32 bytes.
    """

    key_id: str
    role: Role
    name: str
    secret: bytes = field(repr=False)

    def text(self) -> str:
        """Return it as one line of text, which `parse` reads."""
        return f"{MARK}{self.key_id}.{base64url.encode(self.secret)}"


def from_authkey(authkey: bytes) -> TransportKey:
    """Return the key of whoever holds this.

    Args:
        authkey: An authkey: its holder may do everything. Or the text of a derived key,
            which may be given wherever an authkey can: its holder may do what its role says.

    Raises:
        UsageError: It is neither.
    """
    if is_derived(authkey):
        return parse(authkey.decode("ascii", "replace"))
    return _key_of(root_of(authkey), "admin", OWNER)


def derive(authkey: bytes, role: Role, name: str) -> TransportKey:
    """Return the key of one holder, from which the authkey cannot be told.

    Raises:
        UsageError: Role, name or authkey is none.
    """
    return _key_of(root_of(authkey), check_role(role), check_name(name))


def is_derived(material: bytes) -> bool:
    """Whether this is meant to be the text of a derived key or of a root, and no authkey."""
    return material.startswith(DERIVED)


def parse(text: str) -> TransportKey:
    """Return the key of a text that `lightwork key derive` has printed.

    Raises:
        UsageError: It is no such text. What was seen is not repeated: it may be nearly a secret.
    """
    text = text.strip()
    if is_root_text(text):
        raise UsageError("this is the key of a server, for `lightwork serve` alone")
    parts = text.split(".")
    if len(parts) != 5 or parts[0] != MARK.rstrip("."):
        raise UsageError(f"this is not a key of the wire; expected {_EXPECTED}")
    _, role, name, prefix, secret = parts
    if not _KEY_ID.fullmatch(f"{role}.{name}.{prefix}"):
        raise UsageError(f"the key is damaged: its role, name or prefix; expected {_EXPECTED}")
    return TransportKey(
        f"{role}.{name}.{prefix}",
        check_role(role),
        check_name(name),
        check_secret(secret, _EXPECTED),
    )


def _key_of(root: Root, role: Role, name: str) -> TransportKey:
    return TransportKey(f"{role}.{name}.{root.prefix}", role, name, root.key_of(f"{role}/{name}"))


class Keyring:
    """All keys of a server. Threads may share it: it never changes.

    Args:
        authkeys: One; or two while clients change from one to the other. Roots do as well.
        revoked: Names whose keys are refused, of every role.

    Raises:
        UsageError: There is no authkey, or one of them is none; or a name is none.
    """

    def __init__(self, authkeys: Sequence[bytes], revoked: Iterable[str] = ()) -> None:
        if not authkeys:
            raise UsageError("a server needs an authkey; make one: lightwork key new FILE")
        self._roots = tuple(map(root_of, authkeys))
        self._revoked = frozenset(map(check_name, revoked))
        self._nobodys = Root("", secrets.token_bytes(KEY_SIZE))

    def find(self, key_id: str) -> TransportKey | None:
        """Return the key of an id, or None if it is not known or revoked."""
        key, is_known = self.look_up(key_id)
        return key if is_known else None

    def look_up(self, key_id: str) -> tuple[TransportKey, bool]:
        """Return the key of an id and True, or one that nobody has and False; in the same time."""
        found = _KEY_ID.fullmatch(key_id)
        role, name, prefix = found.groups() if found else ("view", "", "")
        known, is_revoked = self._nobodys, name in self._revoked
        for root in self._roots:
            if hmac.compare_digest(root.prefix, prefix) and not is_revoked:
                known = root
        key = TransportKey(key_id, check_role(role), name, known.key_of(f"{role}/{name}"))
        return key, known is not self._nobodys
