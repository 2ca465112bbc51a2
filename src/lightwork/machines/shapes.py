"""Shapes: what goes into a machine and what comes out, as plain data.

States are frozen dataclasses of plain values, so that a host can keep them as bytes and a test
can compare them. What may be large (the items of a queue, the values of a dict) does not lie in
the state but in *cells*, bytes by number or key, which a host keeps as it likes: a dict here,
rows in a database.
"""

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

Plain = None | bool | int | float | str | bytes | tuple["Plain", ...]
Cells = MutableMapping[bytes, bytes]


@dataclass(frozen=True, slots=True, order=True)
class Caller:
    """Who asks: one thread of one session. It waits for one answer at a time.

    Attributes:
        session: Of a process, 16 random bytes; what it holds ends with it.
        thread: Which of its threads, as the session numbers them.
    """

    session: bytes
    thread: int


@dataclass(frozen=True, slots=True)
class Ask:
    """A question: `verb` says what is wanted; answered now or by a later event."""

    caller: Caller
    verb: str
    args: tuple[Plain, ...] = ()


@dataclass(frozen=True, slots=True)
class Withdraw:
    """The caller waits no longer: its time is up. It has no effect if it does not wait.

    If the step answers it all the same (a put of which a part is in), that is its answer.
    """

    caller: Caller


@dataclass(frozen=True, slots=True)
class Lost:
    """A session is gone: what it holds passes on, and where it waits it waits no more."""

    session: bytes


Event = Ask | Withdraw | Lost


@dataclass(frozen=True, slots=True)
class Answer:
    """What a caller gets for its question.

    Attributes:
        caller: Who.
        value: What was asked for.
        refused: A word for why not (NOT_HELD and its like in the machine's module);
            "": it is as asked.
    """

    caller: Caller
    value: Plain = None
    refused: str = ""


S = TypeVar("S")


class Machine(Protocol[S]):
    """One kind of primitive."""

    kind: str

    def begin(self, spec: tuple[Plain, ...]) -> S:
        """Return the state of a new one, made with these arguments."""

    def step(self, state: S, cells: Cells, event: Event) -> tuple[S, tuple[Answer, ...]]:
        """Return the state after an event, and whom it answers; may change `cells`."""
