"""About: what a server says of itself to who begins to use it, and what a long poll asks and gets."""

import uuid
from typing import Final

import msgspec

ABOUT: Final = "/v1/about"
CHANGES: Final = "/v1/changes"
# Both messages of a handshake; see keys/handshake.py.
HELLO: Final = "/v1/session"
PROOF: Final = "/v1/session/proof"
# In the query of a call that changes something: its id, and, when it is sent again, the server that it
# was sent to first.
CALL: Final = "call"
FIRST: Final = "first"
# Bytes of one request; whoever sends more is refused before anything is decoded.
LARGEST_BODY: Final = 128 << 20
# Of one payload or result: they travel together with others.
LARGEST_VALUE: Final = LARGEST_BODY // 2
# Seconds that a poll is parked at most: below what proxies and NATs forget connections after.
LONGEST_WAIT: Final = 20.0


class About(msgspec.Struct, frozen=True):
    """One server.

    Attributes:
        server: An id that is new with each start.
        store: The URL of what it offers, as it may be shown.
        largest_value: Bytes that a payload or a result may have.
        version: Of lightwork.
        does_upkeep: Promotes, rescues and the like are done beside it: its workers leave that. A
            server of an earlier release does not say so, and does none.
    """

    server: str
    store: str
    largest_value: int
    version: str
    does_upkeep: bool = False


class Poll(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Asks to be told when the store's number is another, or after `wait` seconds.

    Attributes:
        server: The server that told the number; another one answers at once.
        seen: The number; None: whatever it is.
        wait: Seconds.
        workers: The incarnations for which it is asked.
    """

    server: str = ""
    seen: int | None = None
    wait: float = 0.0
    workers: list[uuid.UUID] = []


class Polled(msgspec.Struct, frozen=True):
    """The answer.

    Attributes:
        number: See Store.changes.
        back_off: The server ends: seconds after which to ask again; 0: it does not.
    """

    server: str
    number: int
    back_off: float = 0.0
