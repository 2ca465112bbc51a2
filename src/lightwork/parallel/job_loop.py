"""Job loop: the loop of a map: starts a job for each input, passes on how they end.

One queue of events, one thread that looks at it:

    MapJob      an input was taken            -> start it, when there is room and the gate is open
    InputOver   there are no more             -> wait for what runs
    a future    an attempt ended              -> again, or pass on its end
    (nothing)   some time has passed          -> look at the gate, and wake up who wants to know

At most `window` inputs are taken and not yet passed on. However the loop is left
(its end, halt, Ctrl-C, an error) nothing runs any more when `ends()` is closed.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Final

from lightwork.clock import monotonic
from lightwork.parallel.calls import AnyFuture, Calls
from lightwork.parallel.gate import Gate, GateRules, look
from lightwork.parallel.halt import Halt, Tally
from lightwork.parallel.jobs import End, MapJob
from lightwork.parallel.reading import InputOver, Reading

INTERRUPTED: Final = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopOptions:
    """How a map runs.

    Attributes:
        window: How many inputs may be taken and not yet passed on.
        in_flight: How many jobs may be started and not yet ended. As many as run at
            a time, where a rule to halt says exactly which one is the last.
        keeps_order: Whether ends are passed on in the order of the inputs.
        attempts: How many a job gets that fails; 0: until it succeeds.
        halt: When to stop early.
        gate: When jobs may be started.
        on_wake: Called after each event, and at least every `patience` seconds.
        patience: Seconds.
    """

    window: int
    in_flight: int
    keeps_order: bool
    attempts: int
    halt: Halt
    gate: GateRules
    on_wake: Callable[[], None]
    patience: float


@dataclass(frozen=True, slots=True)
class _Running:
    """An attempt under way, or to come; `position` counts inputs from 0."""

    job: MapJob
    position: int
    attempt: int


class Ordering:
    """Passes ends on as they come, or in the order in which jobs were started.

    Args:
        keeps: Whether in the order of the start.
    """

    def __init__(self, *, keeps: bool) -> None:
        self._keeps = keeps
        self._next = 0
        # None: a job without an end, which nobody waits for.
        self._waiting: dict[int, End | None] = {}

    def add(self, position: int, end: End | None) -> list[End]:
        """Take the end of the job that was started as number `position`, from 0; return whose turn it is."""
        if not self._keeps:
            return [] if end is None else [end]
        self._waiting[position] = end
        turn: list[End] = []
        while self._next in self._waiting:
            found = self._waiting.pop(self._next)
            self._next += 1
            if found is not None:
                turn.append(found)
        return turn

    def rest(self) -> list[End]:
        """Return those that still wait, in order, when nothing else will come."""
        found = [end for _, end in sorted(self._waiting.items()) if end is not None]
        self._waiting.clear()
        return found


class JobLoop:
    """Runs a map once.

    Attributes:
        tally: How many jobs ended how, so far.
        is_halted: Whether the rule to halt was reached.
        cut_short: How many jobs were started and did not end by themselves.
    """

    def __init__(self, calls: Calls, jobs: Iterator[MapJob], options: LoopOptions) -> None:
        self.tally = Tally()
        self.is_halted = False
        self.cut_short = 0
        self._calls = calls
        self._options = options
        self._events: SimpleQueue[MapJob | InputOver | AnyFuture] = SimpleQueue()
        self._reading = Reading(jobs, self._events.put, options.window)
        self._ordering = Ordering(keeps=options.keeps_order)
        self._gate = Gate(options.gate, look)
        self._waiting: deque[_Running] = deque()
        self._running: dict[AnyFuture, _Running] = {}
        # Killed to give their memory back: they wait again.
        self._recalled: set[AnyFuture] = set()
        self._taken = 0
        self._is_open = True

    def ends(self) -> Iterator[End]:
        """Yield how the jobs end.

        Raises:
            UsageError: The input is no input.
        """
        self._reading.start()
        try:
            while self._is_open or self._running or self._is_held_back():
                for end in self._react(self._next_event()):
                    yield end
                    self._reading.release()
                self._options.on_wake()
            yield from self._ordering.rest()
        finally:
            self._end_all()

    def _is_held_back(self) -> bool:
        """Whether jobs wait for the gate, though nothing runs."""
        return bool(self._waiting) and not self.is_halted

    def _next_event(self) -> MapJob | InputOver | AnyFuture | None:
        patience = self._options.patience
        if self._has_room():
            patience = min(patience, self._gate.seconds_left(monotonic()))
        try:
            # A Ctrl-C that comes just before a wait does not end it: it is seen after this one.
            return self._events.get(timeout=max(patience, 0.001))
        except Empty:
            return None

    def _react(self, event: MapJob | InputOver | AnyFuture | None) -> list[End]:
        ends: list[End] = []
        if event is None:
            self._give_memory_back()
        elif isinstance(event, MapJob):
            self._waiting.append(_Running(event, self._taken, 1))
            self._taken += 1
        elif isinstance(event, InputOver):
            self._is_open = False
            if event.error is not None:
                raise event.error
        else:
            ends = self._finish(event, self._running.pop(event))
        self._fill()
        return ends

    def _has_room(self) -> bool:
        return self._is_held_back() and len(self._running) < self._options.in_flight

    def _fill(self) -> None:
        while self._has_room() and self._gate.seconds_left(monotonic()) <= 0:
            self._start(self._waiting.popleft())
            self._gate.note_start(monotonic())

    def _give_memory_back(self) -> None:
        # The oldest goes on, so that the map does.
        young = [future for future in list(self._running)[1:] if future not in self._recalled]
        if young and self._gate.is_starved():
            self._recalled.add(young[-1])
            self._calls.cancel(young[-1], kill=True)

    def _start(self, running: _Running) -> None:
        future = self._calls.start(running.job)
        self._running[future] = running
        future.add_done_callback(self._events.put)

    def _finish(self, future: AnyFuture, running: _Running) -> list[End]:
        try:
            end = self._calls.end(running.job, future)
        except CancelledError:
            if future in self._recalled and not self.is_halted:
                self._recalled.discard(future)
                self._waiting.appendleft(running)
                return []
            self.cut_short += 1
            return self._ordering.add(running.position, None)
        self._recalled.discard(future)
        attempts = self._options.attempts
        is_last = bool(attempts) and running.attempt >= attempts
        if end.is_failed and not is_last and not self.is_halted:
            again = _Running(running.job, running.position, running.attempt + 1)
            self._waiting.appendleft(again)
            return []
        self.tally = self.tally.plus(failed=end.is_failed)
        if not self.is_halted and self._options.halt.is_reached(self.tally):
            self._halt()
        return self._ordering.add(running.position, end)

    def _halt(self) -> None:
        self.is_halted = True
        self._is_open = False
        self._reading.stop()
        self.cut_short += sum(waiting.attempt > 1 for waiting in self._waiting)
        for future in list(self._running):
            self._calls.cancel(future, kill=self._options.halt.kills)

    def _end_all(self) -> None:
        self._reading.stop()
        self.cut_short += len(self._running)
        try:
            if self._running:
                self._calls.abandon(list(self._running))
            self._calls.close()
        except KeyboardInterrupt:
            # A second Ctrl-C: at once. Watchers and fork server kill what still runs.
            os._exit(INTERRUPTED)
