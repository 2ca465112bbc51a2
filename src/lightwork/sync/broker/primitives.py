"""Primitives: the machines that the broker runs, and who waits for an answer of which.

Knows connections only as those who are to be answered; never reads or waits.
"""

import time
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any

from lightwork.machines.holding import token_of
from lightwork.machines.kinds import MACHINES
from lightwork.machines.shapes import Answer, Ask, Caller, Event, Lost, Machine, Plain, Withdraw
from lightwork.sync.broker.connection import Connection
from lightwork.sync.broker.protocol import ANSWERED, DIFFERS, FAILED, REFUSED, WITHDRAWN, plain
from lightwork.sync.broker.unnamed import Name


@dataclass(slots=True, eq=False)
class Primitive:
    """One of them.

    Attributes:
        waiting: By caller: where its answer goes, and the number of the question.
        sessions: Who has asked, and is not lost.
        granted_at: When its token last grew, seconds since 1970; None: never.
    """

    machine: Machine[Any]
    spec: Plain
    state: Any
    cells: MutableMapping[bytes, bytes] = field(default_factory=dict)
    waiting: dict[Caller, tuple[Connection, int]] = field(default_factory=dict)
    sessions: set[bytes] = field(default_factory=set)
    granted_at: float | None = None

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
        primitive = self.by_place.get((kind, name))
        if primitive is None:
            if kind not in MACHINES:
                connection.answer(number, FAILED, f"there is no kind {kind!r} of primitive")
                return
            machine = MACHINES[kind]
            primitive = Primitive(machine, spec, machine.begin(_tuple(spec)))
            self.by_place[kind, name] = primitive
        elif primitive.spec != spec:
            connection.answer(number, DIFFERS, primitive.spec)
            return
        primitive.sessions.add(connection.session)
        if connection.caller.thread != thread:
            connection.caller = Caller(connection.session, thread)
        self._ask(connection, primitive, number, Ask(connection.caller, verb, _tuple(args)))

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
                primitive.step(Lost(session))

    def forget(self, name: Name) -> None:
        """Let go of one that nobody has, with all that is in it."""
        primitive = self.by_place.get(name)
        if primitive is not None and not primitive.waiting:
            del self.by_place[name]


def _tuple(value: Any) -> tuple[Plain, ...]:
    result = plain(value)
    assert isinstance(result, tuple)
    return result
