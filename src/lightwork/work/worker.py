"""Worker: claims jobs from a store, runs them on a pool, records how they end.

One loop, one thread; the pool's and the heartbeat's threads only wake it:

    ┌─▶ lease trusted?  ── no ──▶ kill the children, forget everything held,
    │        │ yes                go on under a new incarnation
    │   ack what has finished,         one transaction for all of it
    │   tell what has begun
    │   hand back what waits behind long jobs
    │   promote, rescue, cancels       when it is their time
    │   claim what the slots can run   one transaction, of tasks known here
    └── sleep until something happens

Batches form by themselves: what finishes while one transaction is under way is
the next one's batch. An attempt leaves the loop's hands only when its end is
recorded or refused; while the store is out of reach the ends are kept and tried
again, and once the lease is no longer trusted they are dropped, because then
others may run the jobs. Every write names the attempt number, so even a write
that should not have been sent changes nothing that is not ours.

What has begun the store learns ten times a second, with the ends where there are any:
a job that ends sooner costs no write for it. Only such a job is blamed if this worker
dies. What waits behind a long job goes back to the store (pace.py).

Stopping: claim nothing more, hand back what has not begun without using it up,
let running jobs finish for the grace period, then kill them and hand them back
too; record the rest, sign off. A second request stops at once. A worker that ends
with attempts it could not bring to an end does not sign off: signing off releases
without blame, which may be wrong for a job that must not run twice. Its lease runs
out, and whoever rescues them decides. After the second request nothing waits long for
the store either: if it is out of reach, the worker ends as if it had been killed.
"""

import logging
import os
import secrets
import socket
import threading
import uuid
from collections.abc import Callable
from typing import Final

from lightwork.clock import monotonic
from lightwork.codec import Codec
from lightwork.description import describe_error
from lightwork.errors import PoolError, StoreError, StoreUnavailable
from lightwork.lifecycle import AttemptEnd, Failed, Released, Retried
from lightwork.model import Attempt, Progress, WorkerInfo
from lightwork.pool.executor import Executor
from lightwork.store.contract import Store
from lightwork.uninterrupted import Uninterrupted
from lightwork.work.catalog import Catalog
from lightwork.work.chores import Chores
from lightwork.work.ending import Stopped, end_of_stopped
from lightwork.work.held import HeldAttempts
from lightwork.work.lanes import KnownLanes
from lightwork.work.lease import Lease
from lightwork.work.pace import claim_limit, free_slots, next_mean, patience
from lightwork.work.runner import Runner, make_runner
from lightwork.work.settings import WorkerSettings
from lightwork.work.wakeup import StoreWatch

log = logging.getLogger(__name__)

Ends = list[tuple[Attempt, AttemptEnd]]

FOREVER: Final = float("inf")
_IDLE_SECONDS: Final = 1.0
_CANCEL_SECONDS: Final = 0.2
_PROGRESS_SECONDS: Final = 0.25
_BEGUN_SECONDS: Final = 0.1
_STORE_RETRY_SECONDS: Final = 0.5
_INTERRUPT_SECONDS: Final = 0.1


class WorkerLoop:
    """One worker; `run` returns when it was stopped, `stop` may come from any thread.

    Args:
        store: Where jobs are; not closed by the worker.
        make_executor: Makes the pool; called again after a lost lease.
        slots: How many calls the pool runs at a time.
        catalog: Which functions jobs may name.
        codec: How payloads are read and results written.
        on_ready: Called once it is at work: all its threads run.
        on_ending: Called with ends before they are recorded, the errors themselves among them.
        on_recorded: Called with the ends that the store has accepted.
    """

    def __init__(
        self,
        store: Store,
        make_executor: Callable[[], Executor],
        *,
        slots: int,
        catalog: Catalog,
        codec: Codec,
        settings: WorkerSettings,
        on_ready: Callable[[], None] = lambda: None,
        on_ending: Callable[[Ends], None] | None = None,
        on_recorded: Callable[[Ends], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._make_executor = make_executor
        self._slots = slots
        self._catalog = catalog
        self._codec = codec
        self._settings = settings
        self._on_ready = on_ready
        self._on_ending = on_ending
        self._on_recorded = on_recorded
        self._runners: dict[str, Runner] = {}
        self._wake = threading.Event()
        # One entry for each request: several threads may ask at once, and none may be lost.
        self._stops: list[None] = []
        self._grace_until = FOREVER
        # To end at once, and the store is out of reach.
        self._is_cut_off = False
        self._broken: PoolError | None = None
        self._mean_seconds = -1.0
        self._unrecorded: Ends = []
        # Of these, and not written yet.
        self._last_progress: list[tuple[Attempt, Progress]] = []
        # An answer was lost: the store may say that we hold what we know nothing of.
        self._is_unsure = False
        # Attempts of which the store does not know yet that they have begun.
        self._begun: list[Attempt] = []
        # The last claim got fewer jobs than it asked for ...
        self._is_drained = False
        # ... and fewer than slots were free: no job is ready at all.
        self._is_bare = False
        self._look_again_at = 0.0
        self._cancels_at = 0.0
        self._progress_at = 0.0
        self._begun_at = 0.0
        self._chores = Chores(store, settings.lease)
        self._watch = StoreWatch(store, self._wake_up)
        self._lanes = KnownLanes(store, settings.queues, catalog)

    def run(self) -> None:
        """Work until stopped, or in burst mode until nothing is left.

        Raises:
            StoreError: The store cannot be used at all.
            PoolError: The pool cannot run calls.
        """
        self._begin_incarnation()
        self._watch.start()
        self._on_ready()
        try:
            while not self._is_done():
                self._turn()
        finally:
            self._end()
        if self._broken is not None:
            raise self._broken

    def warm(self) -> None:
        """Start every child of the pool; return when all are ready."""
        self._executor.start()

    def stop(self) -> None:
        """Ask the worker to stop gracefully; a second call stops it now."""
        self._stops.append(None)
        if self._stops_asked > 1:
            self._store.hurry()
        self._wake_up()

    @property
    def worker_id(self) -> uuid.UUID:
        """Id of the current incarnation."""
        return self._info.id

    @property
    def _stops_asked(self) -> int:
        return len(self._stops)

    def _wake_up(self) -> None:
        # Asked for every job that finishes, and setting takes a lock. Cleared meanwhile
        # or not: the loop clears first and looks for what happened after that.
        if not self._wake.is_set():
            # A Ctrl-C in there would leave the event's own lock taken.
            with Uninterrupted():
                self._wake.set()

    # --- one turn

    def _turn(self) -> None:
        self._wake.clear()
        try:
            if not self._lease.is_trusted():
                self._begin_again()
                return
            self._note_stop()
            self._record()
            self._make_sure()
            self._look_after_running()
            if self._may_claim():
                self._chores_and_claim()
        except StoreUnavailable as error:
            log.warning("store_unavailable error=%s", error)
            self._is_unsure = True
            if self._stops_asked > 1:
                self._is_cut_off = True
                return
            self._wake.wait(_STORE_RETRY_SECONDS)
            return
        self._sleep()

    def _chores_and_claim(self) -> None:
        if self._chores.do_due():
            self._is_drained = False
        # What we write ourselves is a change too. So while all slots are busy a change
        # is no reason to look for more: that can wait until one is free.
        held = len(self._held)
        if held < self._slots and (self._watch.take_changed() or not self._is_bare):
            self._is_drained = False
        quiet = self._held.quiet_seconds(monotonic())
        limit = claim_limit(self._slots, held, self._mean_seconds, quiet)
        if limit and (not self._is_drained or monotonic() >= self._look_again_at):
            self._claim(limit)
        elif monotonic() >= self._look_again_at:
            # Busy; but people may ask who knows the tasks of what waits.
            self._look_again_at = monotonic() + _IDLE_SECONDS
            self._lanes.look()
        self._lanes.publish(self._info.id)

    def _claim(self, limit: int) -> None:
        lanes = self._lanes.current()
        free = free_slots(self._slots, len(self._held), limit)
        # Where nothing waits for us the lock for writing is left to others.
        attempts = (
            self._store.claim(self._info.id, lanes=lanes, limit=free, ahead=limit - free)
            if lanes
            else []
        )
        self._is_bare = len(attempts) < free
        if len(attempts) < limit:
            # Of lanes that are not fresh it may only mean that the work is elsewhere now.
            self._is_drained = self._lanes.are_fresh
            self._lanes.forget()
        else:
            self._is_drained = False
        self._look_again_at = monotonic() + _IDLE_SECONDS
        for position, attempt in enumerate(attempts):
            if not self._start(attempt):
                self._unrecorded += [(left, Released()) for left in attempts[position:]]
                return

    def _start(self, attempt: Attempt) -> bool:
        log.debug("job_claimed job=%s attempt=%d", attempt.job_id, attempt.number)
        try:
            runner = self._runner(attempt.task)
        except Exception as error:
            # It is known and can never be run, as an async generator.
            self._refuse(attempt, error)
            return True
        try:
            self._held.start(attempt, runner)
        except PoolError as error:
            self._give_up(error)
            return False
        except RuntimeError:
            # Closed by _stop_children, in another thread; the next turn begins again.
            if self._lease.is_trusted():
                raise
            return False
        except Exception as error:
            self._refuse(attempt, error)
        return True

    def _refuse(self, attempt: Attempt, error: Exception) -> None:
        # The job fails and not the worker: whoever claims it next would fail, too.
        info, _ = describe_error(error)
        self._unrecorded.append((attempt, Failed(info)))

    def _give_up(self, error: PoolError) -> None:
        if self._broken is None:
            log.error("pool_broken error=%s", error)
            self._broken = error
            self.stop()

    def _runner(self, name: str) -> Runner:
        runner, task = self._runners.get(name), self._catalog.find(name)
        # In a notebook a task may be declared anew.
        if runner is None or runner.task.fn is not task.fn:
            sends_errors = self._on_ending is not None
            runner = make_runner(task, self._codec, name, sends_errors=sends_errors)
            self._runners[name] = runner
        return runner

    # --- recording

    def _record(self) -> None:
        for attempt, end, seconds in self._held.take_finished():
            self._unrecorded.append((attempt, end))
            if seconds >= 0:
                self._mean_seconds = next_mean(self._mean_seconds, seconds)
            if isinstance(end, Retried):
                self._chores.expect_due(end.delay)
        if self._held.broken is not None:
            self._give_up(self._held.broken)
        self._look_at_begun()
        if not self._unrecorded and not self._begun:
            return
        if self._on_ending is not None and self._unrecorded:
            # Before: once they are recorded, anybody may be the first to hear of them.
            self._on_ending(self._unrecorded)
        self._record_last_progress()
        refused = self._store.ack(self._info.id, self._unrecorded, begun=self._begun)
        ends, self._unrecorded, self._begun = self._unrecorded, [], []
        if refused:
            keys = set(map(_key, refused))
            ends = [end for end in ends if _key(end[0]) not in keys]
        _log_ends(ends, refused)
        self._on_recorded(ends)

    def _record_last_progress(self) -> None:
        # Before the outcome: an attempt that has ended is not ours to write about.
        self._last_progress += self._held.take_progress_of(one for one, _ in self._unrecorded)
        if self._last_progress:
            self._store.report_progress(self._info.id, self._last_progress)
            self._last_progress = []

    def _make_sure(self) -> None:
        if self._is_unsure:
            others = self._store.release_others(self._info.id, held=self._held.attempts())
            self._is_unsure = False
            if others:
                log.warning("jobs_released_unseen jobs=%d", others)

    def _look_at_begun(self) -> None:
        """Note which attempts have begun; let go of those that would wait for long."""
        now = monotonic()
        if not len(self._held):
            self._begun_at = now + _BEGUN_SECONDS
        if now < self._begun_at:
            return
        self._begun_at = now + _BEGUN_SECONDS
        self._begun += self._held.take_begun()
        since = now - patience(self._held.quiet_seconds(now))
        if more := self._held.hand_back_late(len(self._held) - self._slots, since):
            log.debug("jobs_handed_back jobs=%d", more)

    def _look_after_running(self) -> None:
        now = monotonic()
        if not len(self._held):
            # Of what is claimed next nobody can have asked anything yet.
            self._cancels_at = now + _CANCEL_SECONDS
            return
        if now >= self._cancels_at:
            self._cancels_at = now + _CANCEL_SECONDS
            for job_id, number, kill in self._store.cancel_requests(self._info.id):
                self._held.cancel(job_id, number, kill=kill)
        if now >= self._progress_at and (reports := self._held.take_progress()):
            self._progress_at = now + _PROGRESS_SECONDS
            self._store.report_progress(self._info.id, reports)

    # --- waiting

    def _sleep(self) -> None:
        until = FOREVER
        if self._may_claim():
            if not self._is_drained and len(self._held) < self._slots:
                return
            until = self._chores.next_at()
            if self._is_drained:
                until = min(until, self._look_again_at)
        if len(self._held):
            until = min(until, self._cancels_at)
            if not self._held.are_all_told():
                until = min(until, self._begun_at)
        if self._stops_asked:
            until = min(until, self._grace_until)
        # Bounded: whatever woke nobody is found a second later.
        self._wake.wait(min(max(until - monotonic(), 0.0), _IDLE_SECONDS))

    def _may_claim(self) -> bool:
        return not self._stops_asked and self._lease.is_trusted()

    def _is_done(self) -> bool:
        is_empty = not len(self._held) and not self._unrecorded
        if self._stops_asked:
            return is_empty or self._is_cut_off
        return self._settings.burst and is_empty and self._is_drained and self._is_bare

    # --- beginning, losing the lease, stopping

    def _begin_incarnation(self) -> None:
        self._info = WorkerInfo(
            id=uuid.UUID(bytes=secrets.token_bytes(16)),
            name=self._settings.shown_name(),
            host=socket.gethostname(),
            pid=os.getpid(),
            slots=self._slots,
            queues=self._settings.queues,
            tasks=self._lanes.tasks(),
        )
        sent_at = monotonic()
        self._store.register(self._info, lease=self._settings.lease, is_here=True)
        executor = self._executor = self._make_executor()
        executor.begin()
        self._held = HeldAttempts(executor, wake=self._wake_up)
        self._lease = Lease(
            self._store,
            self._info.id,
            self._settings.lease,
            on_lost=lambda: self._stop_children(executor),
        )
        self._lease.start(sent_at)
        log.info("worker_started worker=%s name=%s", self._info.id, self._info.name)

    def _stop_children(self, executor: Executor) -> None:
        # At once and in the lease's thread: the loop may be waiting for the database.
        # Those of that lease only: the loop may have gone on to the next.
        executor.kill_workers()
        self._wake_up()

    def _begin_again(self) -> None:
        log.warning("worker_lease_lost worker=%s held=%d", self._info.id, len(self._held))
        self._lease.give_up()
        self._executor.kill_workers()
        self._give_back()
        self._last_progress = []
        self._store.leave(self._info.id)
        self._held = HeldAttempts(self._executor, wake=self._wake_up)
        if self._stops_asked:
            return
        self._begin_incarnation()
        self._is_drained = False

    def _give_back(self) -> None:
        """Say how the attempts of a lost lease have ended, for which their jobs are not to blame.

        Their children are dead. Whoever has rescued them meanwhile was faster, and then
        this changes nothing: the attempt number or the worker is another.
        """
        for attempt in self._held.attempts():
            self._unrecorded.append((attempt, end_of_stopped(attempt, Stopped.INTERRUPTED)))
        self._held = HeldAttempts(self._executor, wake=self._wake_up)
        self._begun = []
        if self._unrecorded:
            self._store.ack(self._info.id, self._unrecorded)
            self._unrecorded = []

    def _note_stop(self) -> None:
        if not self._stops_asked:
            return
        if self._grace_until == FOREVER:
            log.info("worker_stopping held=%d grace=%g", len(self._held), self._settings.grace)
            self._grace_until = monotonic() + self._settings.grace
            self._held.hand_back_waiting()
        if self._stops_asked > 1 or monotonic() >= self._grace_until:
            # In every turn: what waited behind a killed call may have begun since.
            self._grace_until = monotonic() + _INTERRUPT_SECONDS
            self._held.interrupt()

    def _end(self) -> None:
        is_empty = not len(self._held) and not self._unrecorded
        is_clean = is_empty and not self._is_cut_off and self._lease.is_trusted()
        self._executor.kill_workers()
        self._lease.stop()
        try:
            if is_clean:
                self._store.sign_off(self._info.id)
            else:
                log.warning("worker_ended_with_attempts worker=%s", self._info.id)
        except StoreError as error:
            # Its lease will run out, and others rescue what it held.
            log.warning("worker_not_signed_off worker=%s error=%s", self._info.id, error)
        self._store.leave(self._info.id)
        self._watch.stop()
        log.info("worker_stopped worker=%s", self._info.id)


def _key(attempt: Attempt) -> tuple[uuid.UUID, int]:
    return attempt.job_id, attempt.number


def _log_ends(accepted: Ends, refused: list[Attempt]) -> None:
    for attempt in refused:
        log.warning("job_refused job=%s attempt=%d", attempt.job_id, attempt.number)
    if log.isEnabledFor(logging.INFO):
        for attempt, end in accepted:
            word = type(end).__name__.lower()
            log.info("job_%s job=%s attempt=%d", word, attempt.job_id, attempt.number)
