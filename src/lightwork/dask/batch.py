"""Batch: a task of Dask: runs its calls on the pool of this Dask worker.

Runs in a thread of Dask's, and waits there until all are done: so Dask counts its slots right.
"""

from concurrent import futures
from typing import Any

from distributed import get_client

from lightwork import errors
from lightwork.dask.packing import (
    CANCELLED,
    LOST,
    Batch,
    Outcome,
    PackedCall,
    Said,
    pack_outcomes,
    unpack_batch,
)
from lightwork.dask.plugin import PoolPlugin, pool_here
from lightwork.model import Progress
from lightwork.pool.call.current import WAITS, Announced
from lightwork.pool.call.future import Future
from lightwork.pool.call.options import CallOptions
from lightwork.pool.call.reporter import Observer
from lightwork.pool.wire.dump_exception import pack_exception


class _Relay(Observer):
    """Sends on what a call reports, and keeps it: what is sent may come too late."""

    def __init__(self, plugin: PoolPlugin, seq: int) -> None:
        self._plugin = plugin
        self._seq = seq
        self._begun: Said | None = None
        self._last: Said | None = None

    @property
    def said(self) -> tuple[Said, ...]:
        return tuple(one for one in (self._begun, self._last) if one is not None)

    def __call__(self, progress: Progress) -> None:
        self._last = Said(self._seq, progress.done, progress.total, progress.note)
        self._plugin.tell(self._last)

    def begun(self, attempt: int) -> None:
        self._begun = Said(self._seq, attempt, 0, Announced.NOTE)
        self._plugin.tell(self._begun)

    def waits(self, what: float) -> None:
        self._plugin.tell(Said(self._seq, what, 1, WAITS))


def run_batch(name: str, data: bytes) -> bytes:
    """Run the calls of a batch on the pool of an executor; return their outcomes, packed."""
    batch, plugin = unpack_batch(data), pool_here(name)
    if batch.ticket and not _take(batch.ticket):
        return pack_outcomes([_begun_before(call) for call in batch.calls])
    running = [_start(plugin, batch, call) for call in batch.calls]
    futures.wait([future for future, _ in running])
    return pack_outcomes(
        [
            _outcome(plugin, call, future, relay)
            for call, (future, relay) in zip(batch.calls, running, strict=True)
        ]
    )


def _take(ticket: str) -> bool:
    """Return whether this is the first that asks for it: the scheduler gives each once."""
    try:
        get_client().publish_dataset(True, name=ticket, override=False)
    except KeyError:
        return False
    return True


def _begun_before(call: PackedCall) -> Outcome:
    error = errors.WorkerLost(
        "the Dask worker that had begun this call, or its result, was lost; with idempotent=False "
        "it is not run again",
        exitcode=0,
        pid=0,
    )
    return Outcome(call.seq, LOST, pack_exception(error), 0.0, ())


def _start(plugin: PoolPlugin, batch: Batch, call: PackedCall) -> tuple[Future[Any], _Relay]:
    relay = _Relay(plugin, call.seq)
    data, name, is_async = batch.functions[call.function]
    function = plugin.functions.find(data, name, is_async=is_async)
    options = CallOptions(
        timeout=call.timeout,
        max_memory=call.max_memory,
        attempt=call.attempt,
        on_progress=relay,
    )
    future = plugin.pool.start_call(function, (call.arguments,), {}, options)
    if plugin.note_running(call.seq, future):
        future.cancel(running="kill")
    return future, relay


def _outcome(plugin: PoolPlugin, call: PackedCall, future: Future[Any], relay: _Relay) -> Outcome:
    plugin.note_end(call.seq)
    if future.cancelled():
        return Outcome(call.seq, CANCELLED, b"", 0.0, relay.said)
    error = future.exception()
    if error is not None:
        return Outcome(call.seq, LOST, pack_exception(error), 0.0, relay.said)
    kind, body, seconds = future.result()
    return Outcome(call.seq, kind, body, seconds, relay.said)
