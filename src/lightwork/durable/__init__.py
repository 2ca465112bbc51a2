"""Durable: an executor that keeps every job in a store.

A job that `submit` returned for survives this program, the worker and the
machine, and has exactly one recorded outcome. The futures of this program are
only how it hears of outcomes: `future(job_id)` finds any job again.

    submit ──▶ store ──▶ a worker, here or anywhere
                 │
    future ◀── OutcomeWatch (work/outcomes.py)

Where to look: executor.py is what a user calls; jobs.py makes jobs of calls and
knows no store; futures.py ties futures to jobs that are kept; mapping.py makes
jobs of a map's items, batch by batch; own_worker.py runs jobs in this program.
"""
