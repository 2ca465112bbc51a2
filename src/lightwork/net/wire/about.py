"""About: what a server says of itself to who begins to use it, and what a long poll asks and gets."""

import uuid
from typing import Final

import msgspec

from lightwork.model import Lane

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
# As many queues, or workers, one poll may name.
MOST_POLLED: Final = 200


class About(msgspec.Struct, frozen=True):
    """One server.

    Attributes:
        server: An id that is new with each start.
        store: The URL of what it offers, as it may be shown.
        largest_value: Bytes that a payload or a result may have.
        version: Of lightwork.
        does_upkeep: Promotes, rescues and the like are done beside it: its workers leave that. A
            server of an earlier release does not say so, and does none.
        wakes_workers: A poll may say what is news for it, and renew leases; see Poll.
    """

    server: str
    store: str
    largest_value: int
    version: str
    does_upkeep: bool = False
    wakes_workers: bool = False


# What has its default is not sent: a server of an earlier release knows the first fields alone.
class Poll(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Asks to be told when the store's number is another, or after `wait` seconds.

    Attributes:
        server: The server that told the number; another one answers at once.
        seen: The number; None: whatever it is.
        wait: Seconds.
        workers: The incarnations for which it is asked.
        queues: Theirs: then only jobs that are ready there are news, and of several who wait not all are told
            of one; and that one of the workers is to end.
        but_submits: Jobs that are submitted are no news; see Store.wait_for_change.
        lease: Renews the leases of the workers, as it comes, by so many seconds; 0: does not.
    """

    server: str = ""
    seen: int | None = None
    wait: float = 0.0
    workers: list[uuid.UUID] = []
    queues: list[str] = []
    lease: float = 0.0
    but_submits: bool = False


class Polled(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer.

    Attributes:
        number: See Store.changes.
        back_off: The server ends: seconds after which to ask again; 0: it does not.
        lanes: Where jobs are ready in the queues of the poll; to look again would find the same.
        is_ending: One of its workers is to end.
        renewed: Of which workers the lease was renewed as the poll came; who is in neither was not tried.
        lost: Those whose lease had run out by then, which is told at once.
    """

    server: str
    number: int
    back_off: float = 0.0
    lanes: list[Lane] = []
    is_ending: bool = False
    renewed: list[uuid.UUID] = []
    lost: list[uuid.UUID] = []
