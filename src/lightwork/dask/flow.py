"""Flow: all calls of one executor, in one thread.

    add ──▶ inbox ──▶ waiting ──batch──▶ sent ──▶ outcomes ──▶ futures
                        ▲    parked (not before)     │
                        └────────◀── next attempt ◀──┘

The thread alone touches the tables, sends, and ends futures, so nothing here needs a lock but the
door: once it is closed nothing comes in behind the word that says so. Dask's own threads put
what they have to say into the inbox, too.

Failure handling: a batch that Dask cannot run fails its calls. When the scheduler is lost, a pool's
initializer fails, or this thread itself does, the executor is broken: every future gets that error.
"""

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeAlias

from lightwork import errors
from lightwork.dask.call import DaskCall
from lightwork.dask.cluster import Cluster, payload_of
from lightwork.dask.packing import (
    CANCELLED,
    RAISED,
    VALUE,
    Batch,
    BatchFunction,
    Outcome,
    PackedCall,
    Said,
    load,
    pack_batch,
    unpack_outcomes,
)
from lightwork.dask.window import BYTES_MAX, TARGET, Window
from lightwork.pool.call.current import Announced
from lightwork.pool.call.future import CancelMode, Future, end_cancelled
from lightwork.pool.call.log_failure import log_failure
from lightwork.pool.call.options import CallOptions
from lightwork.pool.call.reporter import report
from lightwork.pool.call.retrying import after_error, after_pool_error, note_attempts
from lightwork.pool.wire.load_exception import unpack_exception

log = logging.getLogger(__name__)

# How soon a lost scheduler, and workers that have come, are seen.
_LOOK_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Ended:
    """A batch has ended; see `payload_of`."""

    key: str
    payload: bytes | BaseException | None


@dataclass(frozen=True, slots=True)
class Close:
    """Nothing more comes in."""

    cancel_waiting: bool
    kill_sent: bool


Item: TypeAlias = DaskCall | Ended | Said | Close


@dataclass(slots=True)
class SentBatch:
    """A batch under way. What Dask calls a future must be held: dropped, it is forgotten there."""

    calls: dict[int, DaskCall]
    ticket: str
    held: Any = None


class Flow:
    """The calls of one executor; `run` is the thread.

    Args:
        name: Of the executor.
        cluster: Where they go.
        slots: How many Dask has now.
        is_alone: Each call is a batch: it takes resources.
    """

    def __init__(self, name: str, cluster: Cluster, slots: int, *, is_alone: bool = False) -> None:
        self._name = name
        self._is_alone = is_alone
        self._cluster = cluster
        self._window = Window(slots)
        self._inbox: SimpleQueue[Item] = SimpleQueue()
        # Guards the two below. Reentrant: the garbage collector may submit inside of it.
        self._door = threading.RLock()
        self._is_closing = False
        self.error: BaseException | None = None
        # All that follows is the thread's.
        self._numbers = itertools.count(1)
        self._waiting: list[tuple[int, int, DaskCall]] = []
        self._parked: list[tuple[float, int, DaskCall]] = []
        self._sent: dict[str, SentBatch] = {}
        self._by_seq: dict[int, DaskCall] = {}
        self._is_closed = False
        self._look_at = 0.0

    # --- for any thread

    def add(self, call: DaskCall) -> None:
        """Take a call.

        Raises:
            RuntimeError: The executor was shut down, or is broken (PoolError).
        """
        with self._door:
            if self.error is not None:
                raise errors.PoolError(f"this executor can take no more calls: {self.error}")
            if self._is_closing:
                raise RuntimeError("cannot schedule new futures after shutdown")
            self._inbox.put(call)

    def hear(self, said: Said) -> None:
        """Take in what a call reports."""
        self._inbox.put(said)

    def close(self, *, cancel_waiting: bool, kill_sent: bool = False) -> None:
        """Take no more calls, and end when all are done; cancel or kill some of them, if asked to."""
        with self._door:
            self._is_closing = True
            self._inbox.put(Close(cancel_waiting, kill_sent))

    def cancel_sent(self, call: DaskCall, mode: CancelMode) -> bool:
        """Cancel a call that is on some Dask worker; see DaskCall."""
        if self.error is not None:
            return False
        try:
            return self._cluster.cancel([call.seq], mode)
        except Exception:
            log.debug("dask_cancel_failed call=%s", call.name, exc_info=True)
            return False

    # --- the thread

    def run(self) -> None:
        """Send calls and end their futures until it is closed and all are done."""
        try:
            while not self._is_done():
                self._take_in()
                self._unpark()
                self._look()
                self._send()
        except BaseException as error:
            if not self._cluster.is_connected():
                self._lose_scheduler()
            else:
                log_failure(log, "dask_flow_failed executor=%s", self._name)
                self._break(errors.PoolError(f"the executor itself failed: {error!r}"))
        finally:
            # First: a cluster that does not answer may take its time.
            self._refuse_rest()
            self._cluster.close()

    def _is_done(self) -> bool:
        if self.error is not None:
            return True
        return self._is_closed and not (self._waiting or self._parked or self._sent)

    def _take_in(self) -> None:
        try:
            item = self._inbox.get(timeout=self._patience())
            # What came at once goes at once: single calls would make single batches.
            for _ in range(self._inbox.qsize() + 1):
                self._take(item)
                item = self._inbox.get_nowait()
            self._take(item)
        except Empty:
            pass

    def _patience(self) -> float:
        until = time.monotonic() + _LOOK_SECONDS
        if self._parked:
            until = min(until, self._parked[0][0])
        return max(until - time.monotonic(), 0.0)

    def _take(self, item: Item) -> None:
        match item:
            case DaskCall():
                self._put(item)
            case Ended():
                self._take_outcomes(item)
            case Said():
                self._report(item)
            case Close():
                self._is_closed = True
                if item.cancel_waiting:
                    self._cancel_waiting()
                if item.kill_sent and self._by_seq:
                    self._cluster.cancel(list(self._by_seq), "kill")

    def _put(self, call: DaskCall) -> None:
        if call.options.start_at > time.monotonic():
            heapq.heappush(self._parked, (call.options.start_at, call.seq, call))
        else:
            heapq.heappush(self._waiting, (-call.options.priority, call.seq, call))

    def _unpark(self) -> None:
        while self._parked and self._parked[0][0] <= time.monotonic():
            _, _, call = heapq.heappop(self._parked)
            heapq.heappush(self._waiting, (-call.options.priority, call.seq, call))

    def _cancel_waiting(self) -> None:
        for _, _, call in [*self._waiting, *self._parked]:
            call.withdraw("no")
        self._waiting.clear()
        self._parked.clear()

    def _look(self) -> None:
        """See whether the scheduler is there, and how many slots there are now."""
        if (now := time.monotonic()) < self._look_at:
            return
        self._look_at = now + _LOOK_SECONDS
        if not self._cluster.is_connected():
            self._lose_scheduler()
        elif self._waiting:
            self._window.slots = self._cluster.count_slots()

    # --- sending

    def _send(self) -> None:
        while self.error is None:
            share = self._window.share(len(self._waiting), len(self._sent))
            calls = self._next_calls(min(share, 1) if self._is_alone else share)
            if not calls:
                return
            self._start(calls)

    def _next_calls(self, most: int) -> list[DaskCall]:
        """Take what the next batch is of: of one kind, and as much as it is to last."""
        calls: list[DaskCall] = []
        seconds, size = 0.0, 0
        while self._waiting and len(calls) < most:
            call = self._waiting[0][2]
            seconds += self._window.expect(call.function)
            size += call.size
            is_more = seconds > TARGET or size > BYTES_MAX
            if calls and (is_more or call.is_idempotent != calls[0].is_idempotent):
                break
            heapq.heappop(self._waiting)
            if call.begin():
                calls.append(call)
            else:
                seconds -= self._window.expect(call.function)
        return calls

    def _start(self, calls: list[DaskCall]) -> None:
        key = f"{self._name}-{next(self._numbers)}"
        ticket = "" if calls[0].is_idempotent else f"{key}-ticket"
        by_seq = {call.seq: call for call in calls}
        self._by_seq |= by_seq
        # Before it is: what cannot be started has futures that must end.
        sent = self._sent[key] = SentBatch(by_seq, ticket)
        sent.held = self._cluster.start(
            key,
            pack_batch(_batch(calls, ticket)),
            priority=calls[0].options.priority,
            heard=lambda future: self._inbox.put(Ended(key, payload_of(future))),
        )

    # --- outcomes

    def _take_outcomes(self, ended: Ended) -> None:
        if ended.payload is None:
            self._lose_scheduler()
            return
        sent = self._sent.pop(ended.key)
        for seq in sent.calls:
            del self._by_seq[seq]
        if isinstance(ended.payload, BaseException):
            for call in sent.calls.values():
                self._end_attempt(
                    call, ended.payload, after_pool_error(call.options, ended.payload)
                )
        else:
            for outcome in unpack_outcomes(ended.payload):
                self._settle(sent.calls[outcome.seq], outcome)
        if sent.ticket:
            self._cluster.give_up_ticket(sent.ticket)

    def _settle(self, call: DaskCall, outcome: Outcome) -> None:
        for said in outcome.said:
            _tell(call, said)
        if outcome.seconds:
            self._window.learn(call.function, outcome.seconds)
        if outcome.kind == VALUE:
            _end(call, lambda future: _load_value(future, outcome.body))
        elif outcome.kind == CANCELLED:
            _end(call, end_cancelled)
        else:
            error = unpack_exception(outcome.body)
            judge = after_error if outcome.kind == RAISED else after_pool_error
            self._end_attempt(call, error, judge(call.options, error))
            if outcome.kind != RAISED and isinstance(error, errors.PoolError):
                self._break(error)

    def _end_attempt(
        self, call: DaskCall, error: BaseException, following: CallOptions | None
    ) -> None:
        if following is not None:
            call.wait_again(following)
            self._put(call)
            return
        note_attempts(call.options, error)
        _end(call, lambda future: future.set_exception(error))

    def _report(self, said: Said) -> None:
        call = self._by_seq.get(said.seq)
        if call is not None:
            _tell(call, said)

    # --- the end

    def _lose_scheduler(self) -> None:
        self._break(
            errors.PoolError(
                f"the Dask scheduler at {self._cluster.address} is gone, and with it what became of "
                "this call: it may have run. Open another executor when the scheduler is back"
            )
        )

    def _break(self, error: BaseException) -> None:
        with self._door:
            self.error = error if self.error is None else self.error

    def _refuse_rest(self) -> None:
        """Fail what is left, if anything is: the executor is broken."""
        with self._door:
            self._is_closing = True
            came = []
            while not self._inbox.empty():
                came.append(self._inbox.get())
        rest = [call for sent in self._sent.values() for call in sent.calls.values()]
        rest += [call for _, _, call in [*self._waiting, *self._parked]]
        rest += [item for item in came if isinstance(item, DaskCall)]
        for call in rest:
            _end(call, self._fail)

    def _fail(self, future: Future[Any]) -> None:
        # One error for each: tracebacks are its own.
        error = errors.PoolError(str(self.error))
        error.__cause__ = self.error
        future.set_exception(error)


def _batch(calls: list[DaskCall], ticket: str) -> Batch:
    functions: dict[BatchFunction, int] = {}
    packed = []
    for call in calls:
        function = BatchFunction(call.function, call.name, call.is_async)
        number = functions.setdefault(function, len(functions))
        limits = call.options.timeout, call.options.max_memory, call.options.attempt
        packed.append(PackedCall(call.seq, number, call.arguments, *limits))
    return Batch(tuple(functions), tuple(packed), ticket)


def _tell(call: DaskCall, said: Said) -> None:
    """Take in a report, which comes at once and, in case that is late, with the outcome."""
    if said.note == Announced.NOTE:
        if call.has_told_begin:
            return
        call.has_told_begin = True
    else:
        known = call.future.progress
        if known is not None and (known.done, known.total, known.note) == said[1:]:
            return
    if not call.future.done():
        report(call.options.on_progress, call.future, said.done, said.total, said.note)


def _end(call: DaskCall, end: Callable[[Future[Any]], object]) -> None:
    """End a future; whatever its callbacks do, the flow goes on."""
    try:
        call.end(end)
    except BaseException:
        log_failure(log, "future_not_resolved call=%s", call.name)


def _load_value(future: Future[Any], body: bytes) -> None:
    try:
        value = load(body)
    except BaseException as error:
        # The result cannot be rebuilt here: the caller's to know, and only his.
        future.set_exception(error)
    else:
        future.set_result(value)
