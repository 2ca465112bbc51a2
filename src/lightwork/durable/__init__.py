"""Durable: an executor that keeps every job in a store.

A job that `submit` returned for survives this program, the worker and the
machine, and has exactly one recorded outcome. The futures of this program are
only how it hears of outcomes: `future(job_id)` finds any job again.

    submit ──▶ store ──▶ a worker, here or anywhere
                 │
    future ◀── OutcomeWatch (durable/outcome_watch.py)

Where to look: executor.py is what a user calls; jobs.py makes jobs of calls and knows
no store, ids.py names them, options.py says how they are kept; job_futures.py ties each
job to its future (future.py), control.py asks and cancels for them, outcome_watch.py
brings their outcomes; mapping.py makes jobs of a map's items, batch by batch, and
collect.py yields their results; own_worker.py runs jobs in this program, delivery_thread.py
runs what users add to futures.
"""
