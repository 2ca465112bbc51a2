"""Course: the loop of a map: starts a job for each input, passes on how they end.

One queue of events, one thread that looks at it:

    MapJob      an input was taken            -> start it, now or when one ended
    InputOver   there are no more             -> wait for what runs
    a future    an attempt ended              -> again, or pass on its end

At most `window` inputs are taken and not yet passed on. However the loop is left
(its end, halt, Ctrl-C, an error) nothing runs any more when `ends()` is closed.
"""

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Final

from lightwork.cli.parallel.calls import AnyFuture, Calls
from lightwork.cli.parallel.halt import NEVER, Halt, Tally
from lightwork.cli.parallel.jobs import End, MapJob
from lightwork.cli.parallel.ordering import Ordering
from lightwork.cli.parallel.reading import InputOver, Reading

INTERRUPTED: Final = 130
# Seconds.
_PATIENCE: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseOptions:
    """How a map runs.

    Attributes:
        window: How many inputs may be taken and not yet passed on.
        in_flight: How many jobs may be started and not yet ended. As many as run at
            a time, where a rule to halt says exactly which one is the last.
        keeps_order: Whether ends are passed on in the order of the inputs.
        retries: How many more attempts a failed job gets.
        halt: When to stop early.
    """

    window: int
    in_flight: int
    keeps_order: bool = False
    retries: int = 0
    halt: Halt = NEVER


@dataclass(frozen=True, slots=True)
class _Running:
    """An attempt under way; `position` counts started jobs from 0."""

    job: MapJob
    position: int
    attempt: int


class Course:
    """Runs a map once.

    Attributes:
        tally: How many jobs ended how, so far.
        is_halted: Whether the rule to halt was reached.
        cut_short: How many jobs were started and did not end by themselves.
    """

    def __init__(self, calls: Calls, jobs: Iterator[MapJob], options: CourseOptions) -> None:
        self.tally = Tally()
        self.is_halted = False
        self.cut_short = 0
        self._calls = calls
        self._options = options
        self._events: SimpleQueue[MapJob | InputOver | AnyFuture] = SimpleQueue()
        self._reading = Reading(jobs, self._events.put, options.window)
        self._ordering = Ordering(keeps=options.keeps_order)
        self._waiting: deque[MapJob] = deque()
        self._running: dict[AnyFuture, _Running] = {}
        self._started = 0
        self._is_open = True

    def ends(self) -> Iterator[End]:
        """Yield how the jobs end.

        Raises:
            UsageError: The input is no input.
        """
        self._reading.start()
        try:
            while self._is_open or self._running:
                # Filled after each event: with nothing running, nothing waits either.
                for end in self._react(self._next_event()):
                    yield end
                    self._reading.release()
            yield from self._ordering.rest()
        finally:
            self._end_all()

    def _next_event(self) -> MapJob | InputOver | AnyFuture:
        while True:
            # A Ctrl-C that comes just before a wait does not end it: it is seen after this one.
            with suppress(Empty):
                return self._events.get(timeout=_PATIENCE)

    def _react(self, event: MapJob | InputOver | AnyFuture) -> list[End]:
        ends: list[End] = []
        if isinstance(event, MapJob):
            self._waiting.append(event)
        elif isinstance(event, InputOver):
            self._is_open = False
            if event.error is not None:
                raise event.error
        else:
            ends = self._finish(event, self._running.pop(event))
        self._fill()
        return ends

    def _fill(self) -> None:
        while self._waiting and not self.is_halted and len(self._running) < self._options.in_flight:
            self._start(_Running(self._waiting.popleft(), self._started, 1))
            self._started += 1

    def _start(self, running: _Running) -> None:
        future = self._calls.start(running.job)
        self._running[future] = running
        future.add_done_callback(self._events.put)

    def _finish(self, future: AnyFuture, running: _Running) -> list[End]:
        try:
            end = self._calls.end(running.job, future)
        except CancelledError:
            self.cut_short += 1
            return self._ordering.add(running.position, None)
        if end.is_failed and running.attempt <= self._options.retries and not self.is_halted:
            self._start(_Running(running.job, running.position, running.attempt + 1))
            return []
        self.tally = self.tally.plus(failed=end.is_failed)
        if not self.is_halted and self._options.halt.is_reached(self.tally):
            self._halt()
        return self._ordering.add(running.position, end)

    def _halt(self) -> None:
        self.is_halted = True
        self._is_open = False
        self._reading.stop()
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
