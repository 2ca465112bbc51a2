"""Outcomes: brings the recorded ends of jobs to those who wait for them.

The truth is the store; news comes three ways, each of which alone suffices in
the end:

- a worker in this process tells what it has just recorded;
- the store says that something changed, other than that jobs were submitted: the jobs submitted longest ago are
  looked up, since they finish first, the latest, which may be urgent, and all others in turn before it waits again;
- once a second a step of the same without any sign of change.

So a lost wake-up costs a second, never a result. Once a second it is also asked
whether the jobs still exist: one that was pruned has no outcome that could come.

News may be late, and its job ready again meanwhile: it was retried, and somebody waits
for what comes of that. So whoever brings news takes a mark before it looks, or writes;
those who began to wait later do not hear of it. They hear what the store says then.
"""

import itertools
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from typing import Final, NamedTuple
from uuid import UUID

from lightwork.clock import monotonic
from lightwork.error_info import DEPENDENCY_FAILED, cause_of
from lightwork.errors import DependencyFailed, JobFailed, JobNotFound, StoreError, StoreUnavailable
from lightwork.locks.uninterrupted import Uninterrupted
from lightwork.model import ErrorInfo, JobOutcome
from lightwork.pool.call.log_failure import log_failure
from lightwork.pool.wire.load_exception import unpack_exception
from lightwork.store.contract import Store

log = logging.getLogger(__name__)

Deliver = Callable[[JobOutcome | BaseException], None]


class _Wait(NamedTuple):
    """Somebody who waits; the numbers grow.

    There may be many thousands, most of them alone with their job: in lists each would be one more object for
    the collector to look at.

    Attributes:
        before: Who waited for the same job already.
    """

    number: int
    deliver: Deliver
    before: "_Wait | None" = None


# Looked up at a time, from the front and again from the rest in turn.
_LOOKED_UP: Final = 500
_LATEST: Final = 100
_WAIT_SECONDS: Final = 1.0
# How late the thread notices that it is asked to look or to end while it waits
# for the store, which looks for changes of other processes as often anyway.
_NOTICE_SECONDS: Final = 0.1
# When all are just being submitted: whoever ends a submit wakes, unless a Ctrl-C has come before.
_LEFT_OUT_SECONDS: Final = 0.5
_IDLE_SECONDS: Final = 60.0
# How often in a row the store has to say that it is of no use any more.
_REFUSALS: Final = 3
# Share of the time that looking may take when many jobs wait and much changes.
_BUSY_SHARE: Final = 0.2
# Seconds of looking that may be saved up: on a quiet system no look has to wait.
_CREDIT_MAX: Final = 0.02
# And that may be owed: one look that was held up, by a database that stood still, keeps nobody from the next.
_DEBT_MAX: Final = 0.4


class OutcomeWatch:
    """Waits for outcomes in a thread of its own, which runs only while needed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # Reentrant: the collector may run anything, such as a cancel, while it is held.
        self._lock = threading.RLock()
        # Guarded by _lock.
        # A job may have several futures here; mostly it has one.
        self._waiting: dict[UUID, _Wait] = {}
        # How often somebody began to wait.
        self._mark = 0
        # Of these there was news that some who wait must not take: looked up next.
        self._doubted: list[UUID] = []
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self._failure: BaseException | None = None
        self._offset = 0
        # How many looks are left until all have been looked up since the last change.
        self._steps_left = 0
        # Jobs that are just being kept, and whether some were left out of a look for it.
        self._submitting: list[AbstractSet[UUID]] = []
        self._has_left_out = False
        self._told: list[tuple[int, list[JobOutcome]]] = []
        self._idle = threading.Condition(self._lock)
        self._new = threading.Event()
        # Called whenever the thread looks, if anybody wants to see more than outcomes.
        self.on_look: Callable[[], None] | None = None
        # Used by the thread alone.
        self._credit = _CREDIT_MAX
        self._credited_at = monotonic()
        self._missed_at = 0.0

    def wait_for(self, job_id: UUID, deliver: Deliver) -> None:
        """Call `deliver` once with the outcome of the job, in some thread."""
        self.wait_for_all([(job_id, deliver)])

    def wait_for_all(self, delivers: Sequence[tuple[UUID, Deliver]]) -> None:
        """Do the same for many, which takes less than one by one."""
        with self._lock:
            failure = self._failure
            if failure is None and delivers:
                can_be_found = self._has_left_out and not all(
                    self._is_submitting(job_id) for job_id, _ in delivers
                )
                if not self._waiting or can_be_found:
                    self._wake()
                # One after the other: what was told before is not for those who come later.
                waiting = self._waiting
                for number, (job_id, deliver) in enumerate(delivers, self._mark + 1):
                    one = _Wait(number, deliver)
                    before = waiting.setdefault(job_id, one)
                    if before is not one:
                        waiting[job_id] = one._replace(before=before)
                self._mark += len(delivers)
                self._start_thread()
        if failure is not None:
            for _, deliver in delivers:
                deliver(failure)

    @contextmanager
    def submitting(self, job_ids: Iterable[UUID]) -> Iterator[None]:
        """Inside of the block the store need not know these jobs, although they are waited for."""
        ids = frozenset(job_ids)
        try:
            with self._lock:
                self._submitting.append(ids)
            yield
        finally:
            with self._lock:
                # A Ctrl-C may have come before.
                if ids in self._submitting:
                    self._submitting.remove(ids)
                if self._has_left_out:
                    # In this order: a Ctrl-C may come between.
                    self._wake()
                    self._has_left_out = False

    def mark(self) -> int:
        """Return a mark of now: outcomes recorded or read after it concern all who wait already."""
        return self._mark

    def tell(self, outcomes: Iterable[JobOutcome], *, mark: int) -> None:
        """Have outcomes passed on by the thread here: for those who must not run users' code."""
        with self._lock:
            self._told.append((mark, list(outcomes)))
        self._wake()

    def look_now(self) -> None:
        """Look for outcomes that were there before anybody waited for them."""
        self._wake()

    def forget(self, job_ids: Iterable[UUID]) -> None:
        """Undo the last `wait_for` of each."""
        with self._lock:
            for job_id in job_ids:
                last = self._waiting.get(job_id)
                if last is not None and last.before is not None:
                    self._waiting[job_id] = last.before
                else:
                    self._waiting.pop(job_id, None)
            self._idle.notify_all()

    def deliver(self, outcomes: Iterable[JobOutcome], *, mark: int) -> None:
        """Pass on outcomes that somebody knows of.

        Args:
            outcomes: What was recorded, or read in the store.
            mark: Taken before that; see `mark`.
        """
        taken: list[tuple[Deliver, JobOutcome]] = []
        with self._lock:
            for outcome in outcomes:
                last = self._waiting.pop(outcome.job_id, None)
                if last is None:
                    continue
                waits = _apart(last)
                if last.number > mark:
                    self._keep_waiting(outcome.job_id, [one for one in waits if one.number > mark])
                    self._doubted.append(outcome.job_id)
                    waits = [one for one in waits if one.number <= mark]
                taken += [(one.deliver, outcome) for one in waits]
            if self._doubted:
                self._wake()
            self._idle.notify_all()
        for deliver, outcome in taken:
            _deliver_one(deliver, outcome)

    def is_waited_for(self, job_id: UUID) -> bool:
        """Whether anybody waits for the outcome of the job."""
        with self._lock:
            return job_id in self._waiting

    def waiting(self) -> list[UUID]:
        """Return the jobs whose outcome is waited for."""
        with self._lock:
            return list(self._waiting)

    def give_up(self, job_id: UUID, deliver: Deliver, error: BaseException) -> None:
        """End one wait for a job: no outcome can come of it."""
        with self._lock:
            waits = _apart(self._waiting.pop(job_id, None))
            left = [one for one in waits if one.deliver != deliver]
            self._keep_waiting(job_id, left)
            self._idle.notify_all()
        if len(left) < len(waits):
            _deliver_one(deliver, error)

    def be_forked(self, error: BaseException) -> None:
        """Tell all who wait in a forked child, where nothing of this is served, why."""
        self._lock = threading.RLock()
        self._idle = threading.Condition(self._lock)
        self._new = threading.Event()
        self._thread, self._is_closed = None, True
        self.fail(error)

    def fail(self, error: BaseException) -> None:
        """Tell all who wait, or will, that no outcome will come, and why."""
        with self._lock:
            self._failure = error
        self._fail_waiting(error)

    def _fail_waiting(self, error: BaseException) -> None:
        with self._lock:
            waits = list(itertools.chain.from_iterable(map(_apart, self._waiting.values())))
            self._waiting.clear()
            self._idle.notify_all()
        for one in waits:
            _deliver_one(one.deliver, error)

    def join(self, *, apart_from: AbstractSet[UUID]) -> None:
        """Return when nobody waits for anything but these."""
        with self._lock:
            self._idle.wait_for(lambda: self._waiting.keys() <= apart_from)

    @property
    def is_closed(self) -> bool:
        """Whether no outcome comes any more."""
        return self._is_closed

    def close(self) -> list[UUID]:
        """Stop; return the jobs whose outcome did not come."""
        with self._lock:
            self._is_closed = True
            self._wake()
            left = list(self._waiting)
            self._waiting.clear()
            self._idle.notify_all()
            thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        return left

    def _keep_waiting(self, job_id: UUID, waits: Iterable[_Wait]) -> None:
        """Let these wait for a job for which nobody waits any more, in their order."""
        last: _Wait | None = None
        for one in waits:
            self._waiting[job_id] = last = _Wait(one.number, one.deliver, last)

    def _is_submitting(self, job_id: UUID) -> bool:
        return any(job_id in jobs for jobs in self._submitting)

    def _start_thread(self) -> None:
        if self._thread is None and not self._is_closed:
            thread = threading.Thread(target=self._watch, name="lightwork-outcomes", daemon=True)
            # A Ctrl-C while it starts would leave nobody to bring outcomes.
            with Uninterrupted():
                thread.start()
                self._thread = thread

    def _wake(self) -> None:
        # A Ctrl-C in there would leave the event's own lock taken.
        with Uninterrupted():
            self._new.set()

    def _watch(self) -> None:
        seen, refusals = -1, 0
        while True:
            with self._lock:
                if self._is_closed:
                    return
                job_ids = self._next_job_ids()
                told, self._told = self._told, []
            try:
                for mark, outcomes in told:
                    self.deliver(outcomes, mark=mark)
                idle = _LEFT_OUT_SECONDS if self._waiting else _IDLE_SECONDS
                pause = self._look(job_ids) if job_ids else idle
                if not self._new.wait(pause) and job_ids and not self._steps_left:
                    before, seen = seen, self._wait_for_change(seen)
                    self._steps_left = len(self._waiting) // _LOOKED_UP if seen != before else 0
                self._new.clear()
                refusals = 0
            except StoreError as error:
                log.warning("outcomes_not_read error=%s", error)
                # What is out of reach is waited for; what is lost does not come back.
                refusals = 0 if isinstance(error, StoreUnavailable) else refusals + 1
                if refusals >= _REFUSALS:
                    self._fail_waiting(error)
                self._new.wait(_WAIT_SECONDS)
                self._new.clear()
            except BaseException:
                # A defect, here or in the store: whoever waits must not wait for ever.
                log_failure(log, "outcomes_not_delivered")
                self._new.wait(_WAIT_SECONDS)

    def _wait_for_change(self, seen: int) -> int:
        deadline = monotonic() + _WAIT_SECONDS
        now = seen
        while now == seen and not self._new.is_set() and monotonic() < deadline:
            now = self._store.wait_for_change(seen, _NOTICE_SECONDS, but_submits=True)
        return now

    def _next_job_ids(self) -> list[UUID]:
        if self._submitting and all(map(self._is_submitting, self._waiting)):
            # There is nothing yet to be found, and the submit has the store for itself.
            self._has_left_out = True
            return []
        doubted, self._doubted = self._doubted[:_LOOKED_UP], self._doubted[_LOOKED_UP:]
        first = [*doubted, *itertools.islice(self._waiting, _LOOKED_UP)]
        if len(self._waiting) <= _LOOKED_UP:
            self._steps_left = 0
            return first
        if self._offset + _LOOKED_UP >= len(self._waiting):
            self._offset = 0
        self._offset += _LOOKED_UP
        self._steps_left = max(self._steps_left - 1, 0)
        rest = itertools.islice(self._waiting, self._offset, self._offset + _LOOKED_UP)
        return [*first, *rest, *itertools.islice(reversed(self._waiting), _LATEST)]

    def _look(self, job_ids: list[UUID]) -> float:
        """Deliver what there is; return for how long not to look again."""
        started = monotonic()
        if self.on_look is not None:
            self.on_look()
        mark = self.mark()
        found = self._store.outcomes(job_ids)
        self.deliver(found.values(), mark=mark)
        if started >= self._missed_at:
            self._missed_at = started + _WAIT_SECONDS
            self._miss([job_id for job_id in job_ids if job_id not in found])
        now = monotonic()
        earned = (now - self._credited_at) * _BUSY_SHARE
        self._credit = min(self._credit + earned, _CREDIT_MAX) - (now - started)
        self._credit = max(self._credit, -_DEBT_MAX)
        self._credited_at = now
        return max(-self._credit / _BUSY_SHARE, 0.0)

    def _miss(self, job_ids: Iterable[UUID]) -> None:
        """End the wait for those jobs that the store does not know any more."""
        with self._lock:
            asked = {
                job_id: _apart(self._waiting.get(job_id))
                for job_id in job_ids
                if not self._is_submitting(job_id)
            }
        gone = asked.keys() - self._store.states(asked).keys()
        with self._lock:
            for job_id in gone:
                # Submitted again under the same id meanwhile: who waits for that stays.
                waits = _apart(self._waiting.pop(job_id, None))
                self._keep_waiting(job_id, [one for one in waits if one not in asked[job_id]])
            self._idle.notify_all()
        for job_id in gone:
            for one in asked[job_id]:
                _deliver_one(one.deliver, job_not_found(job_id, self._store.safe_url))


def _apart(last: _Wait | None) -> list[_Wait]:
    """Return those who wait for a job each by itself, in the order in which they began."""
    found: list[_Wait] = []
    while last is not None:
        found.append(_Wait(last.number, last.deliver))
        last = last.before
    return found[::-1]


def job_not_found(job_id: UUID | int | str, url: str) -> JobNotFound:
    """Return the error of a job that a store does not know."""
    return JobNotFound(
        f"no job {job_id} in {url}; it was never submitted there, or it has been pruned",
        job_id=str(job_id),
    )


def _deliver_one(deliver: Deliver, outcome: JobOutcome | BaseException) -> None:
    try:
        deliver(outcome)
    except BaseException:
        # A result that is loaded or a callback of a future may raise anything, SystemExit
        # included; this thread serves all others.
        log_failure(log, "outcome_not_delivered")


def job_failed(outcome: JobOutcome, packed: bytes = b"") -> JobFailed | DependencyFailed:
    """Return the error of a job that failed, or was not run because another did.

    Its cause is the exception itself where `packed` holds it, as pool/wire/dump_exception.py packs it. Only
    what a child of this program has sent may be given: it is unpickled. The traceback is told
    once: with that exception, else in the text.
    """
    error = outcome.error or ErrorInfo(type="Unknown", text="no error was recorded")
    if error.type == DEPENDENCY_FAILED:
        return _dependency_failed(outcome.job_id, error)
    trace = f"\n\n{error.traceback}" if error.traceback and not packed else ""
    failed = JobFailed(
        f"job {outcome.job_id} failed in attempt {outcome.attempt}: "
        f"{error.type}: {error.text}{trace}",
        job_id=str(outcome.job_id),
        error_type=error.type,
        error_text=error.text,
        traceback=error.traceback,
        attempts=outcome.attempt,
    )
    if packed:
        failed.__cause__ = unpack_exception(packed)
    return failed


def _dependency_failed(job_id: UUID, error: ErrorInfo) -> DependencyFailed:
    cause = cause_of(error)
    return DependencyFailed(
        f"job {job_id} was not run: {error.text}",
        job_id=str(job_id),
        parent_id=cause.job_id,
        parent_task=cause.task,
        error_type=cause.error_type,
        error_text=cause.error_text,
    )
