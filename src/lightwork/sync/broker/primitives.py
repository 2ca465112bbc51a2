"""Primitives: the machines that the broker runs, and who waits for an answer of which.

Knows connections only as those who are to be answered; never reads or waits.
"""

import contextlib
import time
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any

from lightwork.machines.holding import token_of
from lightwork.machines.kinds import MACHINES
from lightwork.machines.shapes import Answer, Ask, Caller, Event, Lost, Machine, Plain, Withdraw
from lightwork.sync.broker.connection import Connection
from lightwork.sync.broker.protocol import ANSWERED, DIFFERS, FAILED, REFUSED, WITHDRAWN, plain
from lightwork.sync.broker.rings import SharedRing
from lightwork.sync.broker.unnamed import Name
from lightwork.sync.ring.layout import SIZE, is_available


@dataclass(slots=True, eq=False)
class Primitive:
    """One of them.

    Attributes:
        waiting: By caller: where its answer goes, and the number of the question.
        sessions: Who has asked, and is not lost.
        ring: Of a queue that its users have among themselves: the state is as it was made.
        granted_at: When its token last grew, seconds since 1970; None: never.
    """

    machine: Machine[Any]
    spec: Plain
    state: Any
    cells: MutableMapping[bytes, bytes] = field(default_factory=dict)
    waiting: dict[Caller, tuple[Connection, int]] = field(default_factory=dict)
    sessions: set[bytes] = field(default_factory=set)
    granted_at: float | None = None
    ring: SharedRing | None = None

    def step(self, event: Event) -> None:
        """Hand in an event, and pass on what is answered."""
        before = token_of(self.state)
        self.state, answers = self.machine.step(self.state, self.cells, event)
        if token_of(self.state) > before:
            self.granted_at = time.time()
        for answer in answers:
            self._pass_on(answer)

    def _pass_on(self, answer: Answer) -> None:
        connection, number = self.waiting.pop(answer.caller)
        if answer.refused:
            connection.answer(number, REFUSED, answer.refused)
        else:
            connection.answer(number, ANSWERED, answer.value)


class Primitives:
    """All of them.

    Attributes:
        by_place: By kind and name; changed here alone.
    """

    def __init__(self) -> None:
        self.by_place: dict[Name, Primitive] = {}
        self._substitutes = 0

    def ask(self, connection: Connection, message: tuple[Any, ...]) -> None:
        """Answer a question, now or when there is an answer."""
        _, number, thread, kind, name, spec, verb, args = message
        primitive = self._find(connection, number, (kind, name), spec)
        if primitive is None:
            return
        if primitive.ring is not None and not _is_here(primitive, primitive.ring):
            connection.answer(
                number, FAILED, f"{verb}: its items are in a ring, which was not moved"
            )
            return
        if connection.caller.thread != thread:
            connection.caller = Caller(connection.session, thread)
        self._ask(connection, primitive, number, Ask(connection.caller, verb, _tuple(args)))

    def _find(
        self, connection: Connection, number: int, name: Name, spec: Plain
    ) -> Primitive | None:
        """Return it, made if it is new; None: answered that there can be none."""
        primitive = self.by_place.get(name)
        if primitive is None:
            if name[0] not in MACHINES:
                connection.answer(number, FAILED, f"there is no kind {name[0]!r} of primitive")
                return None
            machine = MACHINES[name[0]]
            primitive = Primitive(machine, spec, machine.begin(_tuple(spec)))
            self.by_place[name] = primitive
        elif primitive.spec != spec:
            connection.answer(number, DIFFERS, primitive.spec)
            return None
        primitive.sessions.add(connection.session)
        return primitive

    def give_ring(self, connection: Connection, message: tuple[Any, ...], epoch: int) -> None:
        """Hand out the ring of a queue, made if the queue is; or say that it lives here.

        Raises:
            EOFError: The connection is of no use.
        """
        _, number, kind, name, spec = message
        is_new = (kind, name) not in self.by_place
        primitive = self._find(connection, number, (kind, name), spec)
        if primitive is None:
            return
        if is_new and kind == "queue" and epoch and is_available():
            # Without descriptors left it lives here, as elsewhere.
            with contextlib.suppress(OSError):
                primitive.ring = SharedRing()
        ring = primitive.ring
        if ring is None or _is_here(primitive, ring):
            connection.answer(number, ANSWERED)
        else:
            connection.answer_with(number, (epoch, SIZE), ring.descriptors)

    def _ask(self, connection: Connection, primitive: Primitive, number: int, ask: Ask) -> None:
        if ask.caller in primitive.waiting:
            # A signal's function asks what its own thread waits for: under another name.
            self._substitutes -= 1
            ask = Ask(Caller(connection.session, self._substitutes), ask.verb, ask.args)
        primitive.waiting[ask.caller] = (connection, number)
        connection.waiting_at = (primitive, ask.caller)
        try:
            primitive.step(ask)
        except Exception as error:
            # A question that the machine does not know. Its state is as it was.
            primitive.waiting.pop(ask.caller, None)
            connection.answer(number, FAILED, f"{ask.verb}: {type(error).__name__}: {error}")

    def withdraw(self, connection: Connection) -> None:
        """Take back the question of a connection, which is answered with what became of it."""
        if connection.waiting_at is None:
            return
        primitive, caller = connection.waiting_at
        primitive.step(Withdraw(caller))
        if caller in primitive.waiting:
            _, number = primitive.waiting.pop(caller)
            connection.answer(number, WITHDRAWN)

    def lose(self, session: bytes) -> None:
        """Let go of all that a session holds, and of where it waits."""
        for primitive in self.by_place.values():
            if session in primitive.sessions:
                primitive.sessions.discard(session)
                for caller in [c for c in primitive.waiting if c.session == session]:
                    del primitive.waiting[caller]
                if primitive.ring is not None:
                    primitive.ring.ring()
                else:
                    primitive.step(Lost(session))

    def forget(self, name: Name) -> None:
        """Let go of one that nobody has, with all that is in it."""
        primitive = self.by_place.get(name)
        if primitive is not None and not primitive.waiting:
            if primitive.ring is not None:
                primitive.ring.close()
            del self.by_place[name]


def _is_here(primitive: Primitive, ring: SharedRing) -> bool:
    """Return whether its users have left the ring; what was in it is then in the state."""
    if not ring.is_moved:
        return False
    primitive.state, primitive.ring = ring.take_over(primitive.state, primitive.cells), None
    return True


def _tuple(value: Any) -> tuple[Plain, ...]:
    result = plain(value)
    assert isinstance(result, tuple)
    return result
