"""Primitive contract: locks, queues and shared values that a store keeps; see ../contract.py.

What each kind does is said by its machine (../../machines); a store keeps the state and hands events in, one
transaction each. All that a process holds hangs on one *session*, which is a lease: when it runs
out, by the database's clock, the machines are told that the session is lost, by whoever next comes by.

Every call may be sent again: a request has a number, which grows with each that a thread makes, and the
answer to its last one is kept. So a lost answer, a transaction that is repeated and a server that is
started anew change nothing twice.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

Outcome = Literal["answered", "waits", "withdrawn", "lost", "gone"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionInfo:
    """A process that uses primitives; `id` is new with each session."""

    id: uuid.UUID
    host: str
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Who asks which primitive.

    Attributes:
        session: Of the process.
        thread: Which of its threads: each waits for one answer at a time.
        number: Greater than that of every request which the thread has made before.
        primitive: See `primitive_id`.
    """

    session: uuid.UUID
    thread: int
    number: int
    primitive: uuid.UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What has become of a request.

    Attributes:
        outcome: "answered"; "waits" until another answers it; "withdrawn", and it never will be;
            "lost": the session has ended; "gone": there is no such primitive, make it first.
        value: What the machine answered, as msgpack.
        refused: The machine's word for why not; "": it is as asked.
    """

    outcome: Outcome
    value: bytes = b""
    refused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderView:
    """Who holds a primitive: a process, `session` being the beginning of its session's id.

    Attributes:
        is_live: Its lease had not run out when this was read; else the next one who asks gets it.
    """

    host: str
    pid: int
    session: str
    is_live: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PrimitiveView:
    """One primitive as people look at it.

    Attributes:
        token: Of the last grant; 0: there was none, or its kind has none.
        waiting: How many wait there.
        since: When its last holder got it; None: nobody ever did.
        changed_at: When anything last changed there.
    """

    kind: str
    name: str
    holders: tuple[HolderView, ...]
    token: int
    waiting: int
    since: datetime | None
    changed_at: datetime


class PrimitiveStore(Protocol):
    """Primitives of one store. Now is always the database's."""

    def open_session(self, session: SessionInfo, *, lease: float) -> None:
        """Begin a session with a lease of so many seconds.

        Raises:
            UsageError: This id was used before, and is over.
        """

    def renew_session(self, session_id: uuid.UUID, *, lease: float) -> bool:
        """Extend a lease that has not run out; False: it has, and the session is lost for ever."""

    def end_session(self, session_id: uuid.UUID) -> None:
        """End a session: what it holds passes on at once."""

    def open_primitive(
        self, kind: str, name: str, spec: bytes, *, is_named: bool = True
    ) -> uuid.UUID:
        """Make a primitive where there is none of this kind and name; return its id.

        Args:
            kind: Of its machine.
            name: Up to 200 characters.
            spec: What its machine begins with, a tuple as msgpack.
            is_named: False: the name is chance, so it is forgotten a day after the last session that used it.

        Raises:
            UsageError: There is no such kind, or it was made with another spec.
            PayloadError: The spec is larger than the store's `largest_value`.
        """

    def ask_primitive(self, request: Request, verb: str, args: bytes) -> Reply:
        """Ask; the answer now, or that it waits. Repeated with its number it asks nothing anew.

        Args:
            request: Who asks whom.
            verb: What for; see the machine.
            args: With what, a tuple as msgpack.

        Raises:
            UsageError: The machine knows no such verb.
            PayloadError: The arguments or the answer are larger than the store's `largest_value`.
        """

    def collect_reply(self, request: Request) -> Reply:
        """Return what has become of a request. The answer stays, until the thread asks anew."""

    def withdraw_request(self, request: Request) -> Reply:
        """Let a request wait no longer; exact: its answer, if it was given before that.

        Nor does it ask anything any more, if it is still on its way.
        """

    def primitives(
        self, *, kind: str | None = None, name: str | None = None, limit: int = 1000
    ) -> list[PrimitiveView]:
        """Return the primitives that there are, by kind and name."""

    def break_lock(self, name: str) -> bool:
        """Take a lock from its holder and hand it to the next; False: nobody held it.

        The holder is not asked. Its token is lower than the next one's.
        """

    def remove_primitive(self, kind: str, name: str) -> bool:
        """Forget a primitive with all that it holds; False: there is none.

        Who waits there is told that it is gone; one of that name begins anew, tokens included.
        """

    def prune_primitives(self, *, limit: int = 100) -> int:
        """End lost sessions, and forget unnamed primitives that nobody uses; return how many of both."""
