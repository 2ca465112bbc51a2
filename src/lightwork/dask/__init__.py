"""Dask: calls on the workers of a Dask cluster, many in one of its tasks.

    submit ─▶ flow.py ──batch──▶ scheduler ─▶ Dask worker: batch.py ──▶ our pool there (plugin.py)
                 ▲                                │                          ▼
                 │                                │              child: packed_function.py
                 └───────── outcomes ◀────────────┴───── bytes ◀─────────────┘

A task of Dask costs a millisecond, so a batch has 20 ms worth of calls; two batches a slot are
under way, the rest waits here, where it can be cancelled. On each Dask worker a pool of
processes runs the calls, so that time-outs, memory limits, kills and blame mean what they mean
on one machine.

What is not the same: **at least once**. Dask runs a task again whose worker is lost, as often as its
scheduler's `allowed-failures` says (3; in a cluster that we start 0), and again when a result was
lost before it was read. `idempotent=False` prevents both by a one-time ticket at the scheduler: a
batch that finds its ticket taken fails with WorkerLost. Of a batch whose Dask worker dies nobody
knows how far it was: all of its calls fail with WorkerLost.

The scheduler, and what it knows, is in memory. When it is lost so is what ran: every future gets a
PoolError, never a cancellation, and so does whoever submits afterwards.
"""
