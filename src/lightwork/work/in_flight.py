"""In flight: the attempts that a worker has claimed and not yet acked.

Futures finish in threads of the pool; they only put themselves into a queue
here. Everything else is done by the worker's loop.
"""

import random
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final
from uuid import UUID

from lightwork.clock import monotonic
from lightwork.errors import PoolError
from lightwork.lifecycle import Cancelled, Succeeded
from lightwork.model import Attempt, Progress
from lightwork.pool.call.current import WAITS
from lightwork.pool.call.options import CallOptions, Split
from lightwork.pool.executor.executor import Executor
from lightwork.work.flight.bundled import Call, Held, can_be_bundled, pack_attempts, unchanging
from lightwork.work.flight.ending import (
    Ran,
    Stopped,
    end_of_error,
    end_of_returned,
    end_of_stopped,
    was_cancelled,
)
from lightwork.work.flight.heard import Heard
from lightwork.work.flight.loading import TaskNotLoaded
from lightwork.work.flight.waiting import Waiting
from lightwork.work.runner import Committed, Runner, opened, run_attempts
from lightwork.work.stopping import FOREVER

_NOBODY: Final = UUID(int=0)


class InFlight:
    """Attempts on their way through the pool."""

    def __init__(
        self, executor: Executor, *, wake: Callable[[], None], worker_id: UUID = _NOBODY
    ) -> None:
        self._executor = executor
        self._worker_id = worker_id
        self._wake = wake
        # By the store's own number of the job: hashing a UUID takes longer.
        self._held: dict[int, Held] = {}
        # Filled by threads of the pool, emptied by the loop; appending is atomic.
        self._finished: deque[Call] = deque()
        # One object for all bundles of a task: a pool of processes sends it once per child.
        self._bundles: dict[Runner, Callable[..., Any]] = {}
        self._lock = threading.Lock()  # guards _progress
        self._progress: dict[int, tuple[Attempt, Progress]] = {}
        self._waiting = Waiting()
        # Ends that are recorded already.
        self._recorded: list[Ran] = []
        # What loading it raised, by task.
        self._unloaded: dict[str, str] = {}
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
        policy = attempt.policy
        options = CallOptions(
            timeout=policy.timeout,
            max_memory=policy.max_memory,
            priority=policy.priority,
            on_progress=Heard(
                partial(self._note_progress, attempt), partial(self._note_waits, attempt.seq)
            ),
        )
        args = runner.arguments(attempt, self._worker_id)
        self._hold(Call(1), [attempt], runner, args, options)

    def start_together(self, attempts: Sequence[Attempt], runner: Runner) -> None:
        """Hand attempts to the pool that may travel together; see can_travel_together.

        Raises:
            RuntimeError: The pool takes no more calls.
        """
        run = self._bundles.get(runner)
        if run is None:
            run = self._bundles[runner] = unchanging(partial(run_attempts, runner))
        by_seq = {attempt.seq: attempt for attempt in attempts}
        call = Call(len(attempts), is_bundle=True)
        calls = {0: call}

        def note_split(split: Split) -> None:
            rest = calls[split.at] = calls[split.first].split(split)
            rest.future.add_done_callback(lambda _: self._note_finished(rest))

        options = CallOptions(
            priority=attempts[0].policy.priority,
            on_progress=lambda progress: self._note_progress_of(by_seq, progress),
            items=len(attempts),
            on_split=note_split,
        )
        self._hold(call, attempts, run, (pack_attempts(attempts),), options)

    def can_travel_together(self, attempt: Attempt, runner: Runner) -> bool:
        """Whether an attempt may be one of several that are one call of the pool."""
        return self._executor.has_bundles and can_be_bundled(attempt, runner)

    def lent(self, slots: int) -> int:
        """Return how many of so many slots are lent: their attempts only wait for other jobs."""
        return self._waiting.lent(slots, self._held, monotonic())

    def take_finished(self) -> list[Ran]:
        """Return what has finished since."""
        ends: list[Ran] = []
        while self._finished:
            call = self._finished.popleft()
            for held in call.held():
                self._held.pop(held.attempt.seq, None)
            (self._recorded if _is_recorded(call) else ends).extend(self._ends_of(call))
        return ends

    def take_recorded(self) -> list[Ran]:
        """Return, of what `take_finished` has found, what was recorded where it ran."""
        recorded, self._recorded = self._recorded, []
        return recorded

    def take_unloaded(self) -> dict[str, str]:
        """Return which tasks could not be loaded, and why; hand back what waits of them."""
        unloaded, self._unloaded = self._unloaded, {}
        for held in list(self._held.values()) if unloaded else ():
            if held.attempt.task in unloaded:
                held.call.stop(held, Stopped.HANDED_BACK, "no")
        return unloaded

    def attempts(self) -> list[Attempt]:
        """Return the attempts that are held."""
        return [held.attempt for held in self._held.values()]

    def take_begun(self) -> list[Attempt]:
        """Return the attempts that are known to have begun since this was asked last."""
        counts: dict[Call, int] = {}
        begun: list[Attempt] = []
        for held in self._held.values():
            if held.is_told:
                continue
            call = held.call
            count = counts.get(call)
            if count is None:
                count = counts[call] = call.begun()
            if held.place < call.first + count:
                held.is_told = True
                begun.append(held.attempt)
        return begun

    def are_all_told(self) -> bool:
        """Whether every attempt was told to have begun."""
        return all(held.is_told for held in self._held.values())

    def quiet_seconds(self, now: float) -> float:
        """Return for how long attempts have been held and none has ended."""
        return now - self._moved_at if self._held else 0.0

    def idle_since(self) -> float:
        """Return when the last attempt has ended; infinite: some have not."""
        return FOREVER if self._held else self._moved_at

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
            held.call.stop(held, Stopped.HANDED_BACK, "no")

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
            call = held.call
            if held.claimed_at <= since and call.stop(held, Stopped.HANDED_BACK, "no"):
                # All that travel in it go back together.
                count += len(call.held())
        return count

    def interrupt(self) -> None:
        """Kill what runs: the grace period is over."""
        for held in list(self._held.values()):
            held.call.stop(held, Stopped.INTERRUPTED, "kill")

    def cancel(self, job_id: UUID, number: int, *, kill: bool) -> None:
        """End an attempt whose job was cancelled, by asking it or by killing its child."""
        for held in list(self._held.values()):
            if (held.attempt.job_id, held.attempt.number) == (job_id, number):
                held.is_unwanted = True
                held.call.stop(held, Stopped.CANCELLED, "kill" if kill else "ask")

    def _hold(
        self,
        call: Call,
        attempts: Sequence[Attempt],
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        options: CallOptions,
    ) -> None:
        now = monotonic()
        if not self._held:
            self._moved_at = now
        # Before it is started: a split may come before the pool has returned.
        call.all_held = [Held(attempt, call, now, place) for place, attempt in enumerate(attempts)]
        call.future = self._executor.start_call(fn, args, {}, options)
        self._held.update((held.attempt.seq, held) for held in call.all_held)
        call.future.add_done_callback(lambda _: self._note_finished(call))

    def _note_finished(self, call: Call) -> None:
        self._moved_at = monotonic()
        self._finished.append(call)
        self._wake()

    def _note_waits(self, seq: int, what: float) -> None:
        self._waiting.note(seq, what, monotonic())
        self._wake()

    def _note_progress(self, attempt: Attempt, progress: Progress) -> None:
        with self._lock:
            self._progress[attempt.seq] = (attempt, progress)

    def _note_progress_of(self, by_seq: Mapping[int, Attempt], progress: Progress) -> None:
        seq, _, note = progress.note.partition(" ")
        if note == WAITS:
            self._note_waits(int(seq), progress.done)
            return
        self._note_progress(by_seq[int(seq)], replace(progress, note=note))

    def _ends_of(self, call: Call) -> Iterator[Ran]:
        future = call.future
        if future.cancelled():
            for held in call.held():
                yield held.attempt, end_of_stopped(held.attempt, held.stopped), -1.0
        elif (error := future.exception()) is not None:
            if issubclass(type(error), PoolError):
                self.broken = error  # type: ignore[assignment]
            elif issubclass(type(error), TaskNotLoaded):
                self._unloaded[error.task] = error.error  # type: ignore[attr-defined]
            for held in call.held():
                yield held.attempt, end_of_error(held.attempt, error, random.random()), -1.0
        else:
            for held, outcome, failure in call.outcomes():
                attempt = held.attempt
                if isinstance(outcome, bytes):
                    result, seconds = opened(outcome)
                    yield attempt, Succeeded(result), seconds
                elif failure is not None:
                    yield attempt, end_of_error(attempt, failure, random.random()), -1.0
                elif held.is_unwanted and was_cancelled(outcome):
                    yield attempt, Cancelled(), -1.0
                else:
                    end = end_of_returned(attempt, outcome, random.random())
                    yield attempt, end, outcome.seconds


def _is_recorded(call: Call) -> bool:
    future = call.future
    if call.is_bundle or future.cancelled() or future.exception() is not None:
        return False
    return isinstance(future.result(), Committed)
