"""Held: the attempts that a worker has claimed and not yet acked.

Futures finish in threads of the pool; they only put themselves into a queue
here. Everything else is done by the worker's loop.
"""

import random
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from lightwork.clock import monotonic
from lightwork.errors import PoolError
from lightwork.lifecycle import AttemptEnd
from lightwork.model import Attempt, Progress
from lightwork.pool.call import CallOptions
from lightwork.pool.executor import Executor
from lightwork.pool.future import CancelMode, Future
from lightwork.work.ending import Stopped, end_of_error, end_of_returned, end_of_stopped
from lightwork.work.runner import Runner


@dataclass(slots=True)
class _Held:
    attempt: Attempt
    future: Future[Any]
    claimed_at: float
    stopped: Stopped = Stopped.NO
    # The worker was told that it has begun.
    is_told: bool = False


class HeldAttempts:
    """Attempts on their way through the pool."""

    def __init__(self, executor: Executor, *, wake: Callable[[], None]) -> None:
        self._executor = executor
        self._wake = wake
        # By the store's own number of the job: hashing a UUID takes longer.
        self._held: dict[int, _Held] = {}
        # Filled by threads of the pool, emptied by the loop; appending is atomic.
        self._finished: deque[_Held] = deque()
        self._lock = threading.Lock()  # guards _progress
        self._progress: dict[int, tuple[Attempt, Progress]] = {}
        # When an attempt ended last, or the first of those held was started.
        self._moved_at = 0.0
        # Why the pool runs no more calls; None: it does.
        self.broken: PoolError | None = None

    def __len__(self) -> int:
        return len(self._held)

    def start(self, attempt: Attempt, runner: Runner) -> None:
        """Hand an attempt to the pool.

        Raises:
            RuntimeError: The pool takes no more calls.
        """
        now = monotonic()
        if not self._held:
            self._moved_at = now
        options = CallOptions(
            timeout=attempt.policy.timeout,
            max_memory=attempt.policy.max_memory,
            priority=attempt.policy.priority,
            on_progress=lambda progress: self._note_progress(attempt, progress),
        )
        args = (attempt.job_id, attempt.number, attempt.payload)
        held = _Held(attempt, self._executor.start_call(runner, args, {}, options), now)
        self._held[attempt.seq] = held
        held.future.add_done_callback(lambda _: self._note_finished(held))

    def take_finished(self) -> list[tuple[Attempt, AttemptEnd, float]]:
        """Return what has finished since: how each attempt ends, and how long it ran."""
        ends = []
        while self._finished:
            held = self._finished.popleft()
            self._held.pop(held.attempt.seq, None)
            ends.append((held.attempt, *self._end_of(held)))
        return ends

    def attempts(self) -> list[Attempt]:
        """Return the attempts that are held."""
        return [held.attempt for held in self._held.values()]

    def take_begun(self) -> list[Attempt]:
        """Return the attempts that are known to have begun since this was asked last."""
        begun = [
            held for held in self._held.values() if not held.is_told and held.future.has_begun()
        ]
        for held in begun:
            held.is_told = True
        return [held.attempt for held in begun]

    def are_all_told(self) -> bool:
        """Whether every attempt was told to have begun."""
        return all(held.is_told for held in self._held.values())

    def quiet_seconds(self, now: float) -> float:
        """Return for how long attempts have been held and none has ended."""
        return now - self._moved_at if self._held else 0.0

    def take_progress(self) -> list[tuple[Attempt, Progress]]:
        """Return the last report of each attempt that has reported since."""
        with self._lock:
            reports, self._progress = self._progress, {}
        return list(reports.values())

    def take_progress_of(self, attempts: Iterable[Attempt]) -> list[tuple[Attempt, Progress]]:
        """Return the last reports of these attempts, as far as they were not taken yet."""
        if not self._progress:
            return []
        with self._lock:
            found = [self._progress.pop(attempt.seq, None) for attempt in attempts]
        return [report for report in found if report is not None]

    def hand_back_waiting(self) -> None:
        """Withdraw every call that has not begun."""
        for held in list(self._held.values()):
            self._stop(held, Stopped.HANDED_BACK, "no")

    def hand_back_late(self, most: int, since: float) -> int:
        """Withdraw calls that have waited since this instant; return how many.

        Args:
            most: How many at most, the last ones first.
            since: A monotonic instant.
        """
        count = 0
        for held in reversed(list(self._held.values())):
            if count >= most:
                break
            if held.claimed_at <= since:
                count += self._stop(held, Stopped.HANDED_BACK, "no")
        return count

    def interrupt(self) -> None:
        """Kill what runs: the grace period is over."""
        for held in list(self._held.values()):
            self._stop(held, Stopped.INTERRUPTED, "kill")

    def cancel(self, job_id: UUID, number: int, *, kill: bool) -> None:
        """End an attempt whose job was cancelled, by asking it or by killing its child."""
        for held in list(self._held.values()):
            if (held.attempt.job_id, held.attempt.number) == (job_id, number):
                self._stop(held, Stopped.CANCELLED, "kill" if kill else "ask")

    def _stop(self, held: _Held, why: Stopped, running: CancelMode) -> bool:
        if held.future.done():
            # Its end is decided; what was handed back must not become interrupted.
            return False
        before, held.stopped = held.stopped, why
        if not held.future.cancel(running=running):
            held.stopped = before
            return False
        return True

    def _note_finished(self, held: _Held) -> None:
        self._moved_at = monotonic()
        self._finished.append(held)
        self._wake()

    def _note_progress(self, attempt: Attempt, progress: Progress) -> None:
        with self._lock:
            self._progress[attempt.seq] = (attempt, progress)

    def _end_of(self, held: _Held) -> tuple[AttemptEnd, float]:
        attempt, future = held.attempt, held.future
        if future.cancelled():
            return end_of_stopped(attempt, held.stopped), -1.0
        error = future.exception()
        if error is not None:
            if issubclass(type(error), PoolError):
                self.broken = error  # type: ignore[assignment]
            return end_of_error(attempt, error, random.random()), -1.0
        outcome = future.result()
        return end_of_returned(attempt, outcome, random.random()), outcome.seconds
