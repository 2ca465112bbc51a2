"""Cookies: what a server would have to remember of a handshake, kept by the client instead.

    cookie = base64url(time made, 8 | nonce, 32 | the client's nonce, 32 | key id | seal, 32)
    seal   = HMAC-SHA256(a secret of this server alone, all before it)

Whoever asks for a challenge costs the server no memory. A cookie is 32 bytes of chance, and so
the server's nonce at the same time. It is no secret: it only cannot be forged, and ends.
"""

import hmac
import struct
from collections.abc import Callable
from typing import Final, NamedTuple

from lightwork.net.keys import base64url
from lightwork.net.keys.hkdf import KEY_SIZE
from lightwork.net.keys.keyring import MAX_KEY_ID

NONCE_SIZE: Final = 32
# Seconds from the challenge to the proof: one round trip.
LIFETIME: Final = 30.0
_HEAD: Final = struct.Struct(f">Q{NONCE_SIZE}s{NONCE_SIZE}s")
# In characters, four of which are three bytes.
MAX_COOKIE: Final = -(-(_HEAD.size + MAX_KEY_ID + KEY_SIZE) * 4 // 3)


class Asked(NamedTuple):
    """What a cookie says: who has asked, and with which nonce."""

    key_id: str
    nonce: bytes


class Cookies:
    """Those of one server; threads may share them.

    Args:
        now: Seconds that only grow.
        chance: Makes so many random bytes.
    """

    def __init__(self, *, now: Callable[[], float], chance: Callable[[int], bytes]) -> None:
        self._now = now
        self._chance = chance
        self._secret = chance(KEY_SIZE)

    def seal(self, asked: Asked) -> str:
        """Return a new cookie."""
        made = int(self._now() * 1000)
        said = _HEAD.pack(made, self._chance(NONCE_SIZE), asked.nonce) + asked.key_id.encode()
        return base64url.encode(said + self._seal_of(said))

    def open(self, cookie: str) -> Asked:
        """Return what a cookie says.

        Raises:
            ValueError: It was not made here, or too long ago.
        """
        if len(cookie) > MAX_COOKIE:
            raise ValueError("the cookie is too long")
        data = base64url.decode(cookie)
        said, seal = data[:-KEY_SIZE], data[-KEY_SIZE:]
        if not hmac.compare_digest(self._seal_of(said), seal):
            raise ValueError("the cookie was not made here")
        made, _, nonce = _HEAD.unpack_from(said)
        if self._now() - made / 1000 >= LIFETIME:
            raise ValueError("the cookie was made too long ago")
        return Asked(said[_HEAD.size :].decode(), nonce)

    def _seal_of(self, said: bytes) -> bytes:
        return hmac.digest(self._secret, said, "sha256")
