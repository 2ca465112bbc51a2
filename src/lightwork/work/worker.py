"""Worker: claims jobs from a store, runs them on a pool, records how they end.

One loop, one thread; the pool's and the heartbeat's threads only wake it:

    ┌─▶ lease trusted?  ── no ──▶ kill the children, forget everything held,
    │        │ yes                go on under a new incarnation
    │   ack what has finished,         one transaction for all of it; many after a claim
    │   tell what has begun
    │   hand back what waits behind long jobs
    │   promote, rescue, cancels       when it is their time
    │   claim what the slots can run   one transaction, of tasks known here
    └── sleep until something happens

Batches form by themselves: what finishes while one transaction is under way is the next one's
batch. An attempt leaves the loop's hands only when its end is recorded or refused; while the store
is out of reach the ends are kept and tried again, and once the lease is no longer trusted they are
dropped, because then others may run the jobs. Every write names the attempt number, so even a write
that should not have been sent changes nothing that is not ours.

What has begun the store learns ten times a second, with the ends where there are any: a job that
ends sooner costs no write for it. Only such a job is blamed if this worker dies. What waits behind
a long job goes back to the store (pace.py).

Stopping (stopping.py): claim nothing more, hand back what has not begun, let running jobs finish for
a while, then kill them and hand them back too; record the rest, sign off.
"""

import logging
import threading
import uuid
from collections.abc import Callable, Sequence
from typing import Final

from lightwork.clock import monotonic
from lightwork.codec import Codec
from lightwork.errors import PoolError, StoreError, StoreUnavailable
from lightwork.events.kinds import WorkerStarted, WorkerStopped, WorkerStopping
from lightwork.events.listeners import Listeners
from lightwork.lifecycle import Released
from lightwork.locks.uninterrupted import Uninterrupted
from lightwork.model import Attempt
from lightwork.pool.executor.executor import Executor
from lightwork.store.contract import Store
from lightwork.work.acks import Acks, Ends
from lightwork.work.catalog import Catalog
from lightwork.work.flight.doubt import Doubt
from lightwork.work.flight.ending import Ran
from lightwork.work.flight.results import ResultBound
from lightwork.work.flight.runners import Runners
from lightwork.work.in_flight import InFlight
from lightwork.work.incarnation import Incarnation, WorkerSettings
from lightwork.work.inputs.reading import with_inputs
from lightwork.work.lanes import KnownLanes
from lightwork.work.news.counting import Counting
from lightwork.work.news.telling import Telling
from lightwork.work.pace import bundle_size, claim_limit, free_slots, groups_of, next_mean, patience
from lightwork.work.schedules.keeper import ScheduleKeeper
from lightwork.work.served.worker_upkeep import WorkerUpkeep
from lightwork.work.stopping import FOREVER, Stopping
from lightwork.work.transaction.runner import close_transactions
from lightwork.work.wakeup import StoreWatch

log = logging.getLogger(__name__)

_IDLE_SECONDS: Final = 1.0
_CANCEL_SECONDS: Final = 0.2
_PROGRESS_SECONDS: Final = 0.25
_BEGUN_SECONDS: Final = 0.1
_STORE_RETRY_SECONDS: Final = 0.5


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
        listeners: Told of everything that happens here.
    """

    # For whoever watches over it: how often it has turned, and whether it will again.
    turns = 0
    is_ending = False
    _is_abandoned = False
    _broken: PoolError | None = None
    _mean_seconds = -1.0
    # Slots of jobs that wait for other jobs.
    _lent = 0
    # The last claim got fewer jobs than it asked for ...
    _is_drained = False
    # ... and fewer than slots were free: no job is ready at all.
    _is_bare = False
    _look_again_at = 0.0
    _cancels_at = 0.0
    _progress_at = 0.0
    _begun_at = 0.0

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
        listeners: Listeners | None = None,
    ) -> None:
        self._store = store
        self._make_executor = make_executor
        self._slots = slots
        self._catalog = catalog
        self._settings = settings
        self._on_ready = on_ready
        self._telling = Telling(settings.shown_name(), listeners or Listeners())
        self._counting = Counting(store)
        self._results = ResultBound(store)
        self._acks = Acks(store, on_ending, on_recorded, self._telling)
        self._runners = Runners(
            store,
            catalog,
            codec,
            middleware=settings.middleware,
            sends_errors=on_ending is not None,
        )
        self._doubt = Doubt(store)
        self._wake = threading.Event()
        self._stopping = Stopping()
        self._watch = StoreWatch(store, self._wake_up, settings.queues * (not settings.burst))
        self._upkeep = WorkerUpkeep(store, settings, self._watch.number)
        self._lanes = KnownLanes(
            store, settings.queues, catalog, settings.weights, is_burst=settings.burst
        )
        self._schedules = ScheduleKeeper(store, catalog)

    def run(self) -> None:
        """Work until stopped, or in burst mode until nothing is left.

        Raises:
            StoreError: The store cannot be used at all, or was out of reach when it was to end.
            PoolError: The pool cannot run calls.
        """
        if not self._begin():
            return
        self._watch.start()
        self._on_ready()
        try:
            while not self._is_done():
                self._turn()
                if self._is_abandoned:
                    return
        finally:
            self._end()
        if self._broken is not None:
            raise self._broken
        self._stopping.check(self._telling.worker)

    def warm(self) -> None:
        """Start every child of the pool; return when all are ready."""
        self._incarnation.executor.start()

    def abandon(self) -> None:
        """Let others have what it holds: its loop hangs, and must never act again.

        Whatever it writes, if ever it comes back, is refused: its incarnation is given up.
        """
        self._is_abandoned = True
        # It may hang before it has one.
        if "_incarnation" in self.__dict__:
            self._incarnation.give_up()
            self._store.leave(self.worker_id)

    def stop(self) -> None:
        """Ask the worker to stop gracefully; a second call stops it now."""
        if self._stopping.ask() > 1:
            self._store.hurry()
        self._wake_up()

    @property
    def worker_id(self) -> uuid.UUID:
        """Id of the current incarnation."""
        return self._incarnation.id

    @property
    def _in_flight(self) -> InFlight:
        return self._incarnation.in_flight

    @property
    def _slots_now(self) -> int:
        # Who waits for a job inside of a job has given its slot back: it may be for that one.
        return self._slots + self._in_flight.lent(self._slots)

    def _lend(self) -> None:
        """Have the pool run as many calls more as there are that only wait for other jobs."""
        lent = self._in_flight.lent(self._slots)
        if lent != self._lent:
            if lent > self._lent:
                self._is_drained = False
            self._lent = lent
            self._incarnation.executor.lend(lent)

    def _wake_up(self) -> None:
        # Asked for every job that finishes, and setting takes a lock. Cleared meanwhile
        # or not: the loop clears first and looks for what happened after that.
        if not self._wake.is_set():
            # A Ctrl-C in there would leave the event's own lock taken.
            with Uninterrupted():
                self._wake.set()

    # --- one turn

    def _turn(self) -> None:
        self.turns += 1
        self._wake.clear()
        try:
            if not self._incarnation.is_trusted():
                self._begin_again()
                return
            self._look_at_drain()
            self._note_stop()
            self._record()
            self._doubt.make_sure(self.worker_id, self._in_flight)
            self._lend()
            self._look_after_running()
            if self._may_claim():
                self._upkeep_and_claim()
        except StoreUnavailable as error:
            log.warning("store_unavailable error=%s", error)
            self._doubt.note_loss()
            if not self._stopping.gives_up(error, idle_since=self._in_flight.idle_since()):
                self._wake.wait(_STORE_RETRY_SECONDS)
        else:
            self._sleep()

    def _upkeep_and_claim(self) -> None:
        self._counting.send_due(self.worker_id)
        self._schedules.do_due(self.worker_id)
        if rescued := self._upkeep.do_due():
            self._is_drained = False
            self._telling.rescued(rescued)
            self._counting.rescued(rescued)
        # A change may be our own: while all slots are busy it is no reason to look for more.
        is_free = len(self._in_flight) < self._slots_now
        if is_free and (self._watch.take_changed() or not self._is_bare):
            self._is_drained = False
        limit = self._room()
        if limit and (not self._is_drained or monotonic() >= self._look_again_at):
            self._claim(limit)
        elif monotonic() >= self._look_again_at:
            # Busy; but people may ask who knows the tasks of what waits.
            self._look_again_at = monotonic() + _IDLE_SECONDS
            self._lanes.look()
        self._lanes.publish(self.worker_id)

    def _room(self) -> int:
        quiet, held = self._in_flight.quiet_seconds(monotonic()), len(self._in_flight)
        limit = claim_limit(self._slots_now, held, self._mean_seconds, quiet)
        return 0 if self._stopping.is_ending else limit

    def _claim(self, limit: int) -> None:
        lanes, limit = self._lanes.turn(limit)
        free = free_slots(self._slots_now, len(self._in_flight), limit)
        more = limit - free
        # Where nothing waits for us the lock for writing is left to others.
        attempts: list[Attempt] = []
        if lanes and self._incarnation.work():
            self._watch.note_own()
            attempts = self._store.claim(self.worker_id, lanes=lanes, limit=free, ahead=more)
            self._watch.note_race(is_lost=not attempts)
        self._lanes.note_claimed(attempts)
        self._is_bare = len(attempts) < free
        # Of lanes that are not fresh it may only mean that the work is elsewhere now.
        self._is_drained = len(attempts) < limit and self._lanes.are_fresh
        if len(attempts) < limit:
            self._lanes.forget()
        self._look_again_at = monotonic() + _IDLE_SECONDS
        self._telling.claimed(attempts)
        self._counting.claimed(attempts)
        size = bundle_size(self._slots, self._mean_seconds, len(attempts) - free)
        for group in groups_of(attempts, free, size, self._runners.sharing(self._in_flight)):
            if not self._start(group):
                for left in attempts[attempts.index(group[0]) :]:
                    self._acks.add(left, Released())
                return

    def _start(self, group: Sequence[Attempt]) -> bool:
        attempt = group[0]
        try:
            runner = self._runners.find(attempt.task)
            attempt = with_inputs(self._store, self._catalog, attempt)
        except StoreError:
            raise
        except Exception as error:
            # It is known and can never be run, as an async generator, or has lost its arguments.
            self._acks.refuse(group, error)
            return True
        try:
            if len(group) > 1:
                self._in_flight.start_together(group, runner)
            else:
                self._in_flight.start(attempt, runner)
        except PoolError as error:
            self._give_up(error)
            return False
        except RuntimeError:
            # Closed by _stop_children, in another thread; the next turn begins again.
            if self._incarnation.is_trusted():
                raise
            return False
        except Exception as error:
            self._acks.refuse(group, error)
        return True

    def _give_up(self, error: PoolError) -> None:
        if self._broken is None:
            log.error("pool_broken error=%s", error)
            self._broken = error
            self.stop()

    # --- recording

    def _record(self) -> None:
        ran = self._results.within(self._in_flight.take_finished())
        self._acks.add_ran(ran)
        recorded = self._in_flight.take_recorded()
        self._acks.add_recorded(recorded)
        if ran or recorded:
            self._note_ends([*ran, *recorded])
        self._lanes.rest(self._in_flight.take_unloaded())
        if self._in_flight.broken is not None:
            self._give_up(self._in_flight.broken)
        self._look_at_begun()
        if self._settings.burst and self._acks.has_ends():
            # They may let others go, by limits or as what these waited for.
            self._is_drained = False
        elif self._acks.has_many() and not self._is_drained and (more := self._room()):
            # Else children are idle while that is recorded.
            self._claim(more)
        if self._acks.send(self.worker_id, self._in_flight):
            self._watch.note_own()

    def _note_ends(self, ran: Sequence[Ran]) -> None:
        self._counting.ended(ran)
        self._telling.note_seconds(ran)
        known = [one for one in ran if one[2] >= 0]
        for task in {attempt.task for attempt, _end, _seconds in known}:
            self._lanes.note_ran(task)
        seconds = sum(one[2] for one in known)
        self._mean_seconds = next_mean(self._mean_seconds, seconds, len(known))
        self._upkeep.note_ends(end for _attempt, end, _seconds in ran)

    def _look_at_begun(self) -> None:
        """Note which attempts have begun; let go of those that would wait for long."""
        now = monotonic()
        if not len(self._in_flight):
            self._begun_at = now + _BEGUN_SECONDS
        if now < self._begun_at:
            return
        self._begun_at = now + _BEGUN_SECONDS
        if begun := self._in_flight.take_begun():
            self._acks.add_begun(begun)
            self._telling.started(begun)
        since = now - patience(self._in_flight.quiet_seconds(now))
        if more := self._in_flight.hand_back_late(len(self._in_flight) - self._slots_now, since):
            log.debug("jobs_handed_back jobs=%d", more)

    def _look_after_running(self) -> None:
        now = monotonic()
        if not len(self._in_flight):
            self._incarnation.rest()
            # Of what is claimed next nobody can have asked anything yet.
            self._cancels_at = now + _CANCEL_SECONDS
            return
        if now >= self._cancels_at:
            self._cancels_at = now + _CANCEL_SECONDS
            for job_id, number, kill in self._store.cancel_requests(self.worker_id):
                self._in_flight.cancel(job_id, number, kill=kill)
        if now >= self._progress_at and (reports := self._in_flight.take_progress()):
            self._progress_at = now + _PROGRESS_SECONDS
            self._store.report_progress(self.worker_id, reports)
            self._telling.progressed(reports)

    # --- waiting

    def _sleep(self) -> None:
        until = FOREVER
        if self._may_claim():
            if not self._is_drained and len(self._in_flight) < self._slots_now:
                return
            until = self._upkeep.next_at()
            if self._is_drained:
                until = min(until, self._look_again_at)
        if len(self._in_flight):
            until = min(until, self._cancels_at)
            if not self._in_flight.are_all_told():
                until = min(until, self._begun_at)
        if self._stopping.asked:
            until = min(until, self._stopping.grace_until)
        # Whatever woke nobody is found a second later.
        self._wake.wait(min(max(until - monotonic(), 0.0), _IDLE_SECONDS))

    def _may_claim(self) -> bool:
        return not self._stopping.is_ending and self._incarnation.is_trusted()

    def _is_done(self) -> bool:
        is_empty = not len(self._in_flight) and not self._acks.has_ends()
        if self._stopping.is_ending:
            return is_empty or self._stopping.has_given_up
        is_over = self._is_drained and self._is_bare and self._lanes.are_none
        return self._settings.burst and is_empty and is_over

    # --- beginning, losing the lease, stopping

    def _begin(self) -> bool:
        """Begin as soon as the store is there; False: it was to end before that."""
        while True:
            try:
                self._begin_incarnation()
            except StoreUnavailable as error:
                log.warning("store_unavailable error=%s", error)
                if self._stopping.asked:
                    return False
                self._wake.wait(_STORE_RETRY_SECONDS)
            else:
                return True

    def _begin_incarnation(self) -> None:
        self._lent = 0
        self._incarnation = Incarnation(
            self._store,
            self._settings,
            self._make_executor,
            slots=self._slots,
            tasks=self._lanes.tasks(),
            wake=self._wake_up,
        )
        self._telling.worker = str(self.worker_id)
        self._telling.worker_is(WorkerStarted)

    def _begin_again(self) -> None:
        self._telling.lease_is_lost(held=len(self._in_flight))
        self._acks.give_back(self.worker_id, self._incarnation.give_up())
        self._store.leave(self.worker_id)
        if self._stopping.is_ending:
            return
        self._begin_incarnation()
        self._is_drained = False

    def _look_at_drain(self) -> None:
        """End, if somebody has said so, when what runs is done: it has all the time it needs."""
        if self._stopping.may_look() and self._store.is_draining(self.worker_id):
            self._stopping.is_draining = True
            self._telling.worker_is(WorkerStopping, held=len(self._in_flight), grace=FOREVER)
            self._in_flight.hand_back_waiting()

    def _note_stop(self) -> None:
        if not self._stopping.asked:
            return
        grace = self._settings.grace
        if self._stopping.is_new(grace):
            self._telling.worker_is(WorkerStopping, held=len(self._in_flight), grace=grace)
            self._in_flight.hand_back_waiting()
        if self._stopping.must_interrupt():
            self._in_flight.interrupt()

    def _end(self) -> None:
        self.is_ending = True
        is_empty = not len(self._in_flight) and not self._acks.has_ends()
        is_ours = self._incarnation.is_trusted() and not self._is_abandoned
        is_clean = is_empty and not self._stopping.has_given_up and is_ours
        if self._stopping.has_given_up:
            self._store.hurry()
        self._incarnation.end()
        try:
            if is_clean:
                self._counting.send(self.worker_id)
                self._store.sign_off(self.worker_id)
            else:
                log.warning("worker_ended_with_attempts worker=%s", self.worker_id)
        except StoreError as error:
            # Its lease will run out, and others rescue what it held.
            log.warning("worker_not_signed_off worker=%s error=%s", self.worker_id, error)
        self._store.leave(self.worker_id)
        self._watch.stop()
        close_transactions(self._store.url)
        self._telling.worker_is(WorkerStopped)
