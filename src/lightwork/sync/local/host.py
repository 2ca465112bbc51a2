"""Host for the threads of this program: machines under one lock, and for each who waits a lock to wait on.

A step of a machine is a few microseconds, so one lock for all primitives is enough. Nobody waits under it: whoever
must wait has left a *waiter*, and sleeps on its gate, which the step that answers opens.

    ask ──step──▶ answered ─────────────────────────▶ return
          │
          └─────▶ waiter ──gate opens──────────────▶ return
                    └──time is up──▶ Withdraw ──▶ TimeoutError, or what came just then

A Ctrl-C comes only while a thread sleeps on its gate, or between two of the sections in which it is put off
(locks/uninterrupted.py). Then the question is taken back, or if it was answered what was answered is undone: what
was granted to nobody is nobody's.

A step may be interrupted by another one of the same thread (a finalizer that the collector runs, a signal handler):
the lock is reentrant, and the outer step is done again from the new state. And a signal handler may ask
while its thread waits, `event.set()` while it waits for this very event: it asks as another caller.

Threads that end need no care: as with `threading`, what they hold stays held. After a fork the child has no
thread but one: of all others, and of what they held, nothing is left there; items, values and flags are.
"""

import os
import threading
import weakref
from _thread import allocate_lock, get_ident
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from lightwork.errors import UsageError
from lightwork.locks.uninterrupted import Uninterrupted
from lightwork.machines.kinds import MACHINES
from lightwork.machines.shapes import Answer, Ask, Caller, Event, Lost, Plain, Withdraw
from lightwork.sync.host import Place, Refusal

Undo = Callable[[Plain], tuple[str, tuple[Plain, ...]]]

# What a finalizer runs may ask again in the middle of a step.
_lock = threading.RLock()


class _Waiter:
    """Whoever asked: the answer, and a gate that is shut until there is one."""

    __slots__ = ("answer", "gate")

    def __init__(self) -> None:
        self.answer: Answer | None = None
        self.gate = allocate_lock()
        self.gate.acquire()


class Primitive:
    """One of them: the state of its machine, and who waits."""

    __slots__ = ("__weakref__", "cells", "machine", "place", "state", "waiters")

    def __init__(self, place: Place) -> None:
        self.place = place
        self.machine = MACHINES[place.kind]
        self.state: Any = self.machine.begin(place.spec)
        self.cells: dict[bytes, bytes] = {}
        self.waiters: dict[Caller, _Waiter] = {}

    def new_caller(self, session: bytes) -> Caller:
        """Return this thread as one who does not wait yet."""
        caller = Caller(session, get_ident())
        while caller in self.waiters:
            caller = Caller(session, caller.thread - (1 << 64))
        return caller

    def step(self, event: Event) -> None:
        """Do one, with `_lock` held, and wake those whom it answers."""
        while True:
            before = self.state
            after, answers = self.machine.step(before, self.cells, event)
            # Else another step of this thread came in between; see the head of this file.
            if self.state is before:
                break
        self.state = after
        for answer in answers:
            waiter = self.waiters.pop(answer.caller, None)
            if waiter is not None:
                waiter.answer = answer
                waiter.gate.release()


class _Asked(NamedTuple):
    """A question: of whom, by whom, and who waits for the answer."""

    primitive: Primitive
    caller: Caller
    waiter: _Waiter


class LocalHost:
    """See sync/host.py for what each method promises."""

    where: Final = "threads"

    def __init__(self) -> None:
        self.session = os.urandom(16)
        # Of those with a name that somebody gave; others live as long as what uses them (`keep`).
        self._named: dict[tuple[str, str], Primitive] = {}
        self._all: weakref.WeakValueDictionary[tuple[str, str], Primitive] = (
            weakref.WeakValueDictionary()
        )
        os.register_at_fork(
            before=_lock.acquire,
            after_in_parent=_lock.release,
            after_in_child=self._begin_in_child,
        )

    def keep(self, place: Place, *, is_named: bool) -> object:
        """Return what the primitive lives with, unless it has a name."""
        with _lock:
            primitive = self._find(place)
            if is_named:
                self._named[place.kind, place.name] = primitive
            return primitive

    def ask(
        self,
        place: Place,
        verb: str,
        args: tuple[Plain, ...] = (),
        *,
        timeout: float | None = None,
        undo: Undo | None = None,
    ) -> Plain:
        """Ask, and wait for the answer."""
        waiter, asked = _Waiter(), None
        try:
            with Uninterrupted(), _lock:
                primitive = self._find(place)
                asked = _Asked(primitive, primitive.new_caller(self.session), waiter)
                primitive.waiters[asked.caller] = waiter
                primitive.step(Ask(asked.caller, verb, args))
            if waiter.answer is None and not _sleep(waiter, timeout):
                _withdraw(asked)
        except BaseException:
            if asked is not None:
                _take_back(asked, undo)
            raise
        # From here to where the caller notes what it has no function is called: a Ctrl-C finds no place to come.
        answer = waiter.answer
        if answer is None:
            raise TimeoutError(f"{place.kind} {place.name}: no answer to {verb!r} in {timeout} s")
        if answer.refused:
            raise Refusal(answer.refused)
        return answer.value

    def close(self) -> None:
        """Let go of what this process holds there; idempotent."""
        with Uninterrupted(), _lock:
            self._lose(self.session)

    def _find(self, place: Place) -> Primitive:
        primitive = self._all.get((place.kind, place.name))
        if primitive is None:
            primitive = Primitive(place)
            self._all[place.kind, place.name] = primitive
        if primitive.place.spec != place.spec:
            raise UsageError(
                f"{place.kind} {place.name!r} was made with {primitive.place.spec}, and is asked for "
                f"with {place.spec}; use another name, or make both alike"
            )
        return primitive

    def _lose(self, session: bytes) -> None:
        for primitive in list(self._all.values()):
            primitive.step(Lost(session))

    def _begin_in_child(self) -> None:
        # Those who wait are not here.
        for primitive in list(self._all.values()):
            primitive.waiters.clear()
        self._lose(self.session)
        self.session = os.urandom(16)
        _lock.release()


def _sleep(waiter: _Waiter, timeout: float | None) -> bool:
    """Wait for the answer; return whether there is one."""
    if timeout is None:
        return waiter.gate.acquire()
    return waiter.gate.acquire(timeout=min(max(timeout, 0.0), threading.TIMEOUT_MAX))


def _withdraw(asked: _Asked) -> None:
    with Uninterrupted(), _lock:
        asked.primitive.step(Withdraw(asked.caller))
        asked.primitive.waiters.pop(asked.caller, None)


def _take_back(asked: _Asked, undo: Undo | None) -> None:
    """Leave things as if it had not been asked, after an interrupt."""
    answer = asked.waiter.answer
    if answer is None:
        _withdraw(asked)
        answer = asked.waiter.answer
    if answer is None or answer.refused or undo is None:
        return
    verb, args = undo(answer.value)
    if verb:
        with Uninterrupted(), _lock:
            asked.primitive.step(Ask(asked.caller, verb, args))


host: Final = LocalHost()
