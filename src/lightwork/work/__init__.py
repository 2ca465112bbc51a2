"""Work: a worker joins a store and a pool: claim, run, heartbeat, ack.

Read in this order: worker.py (the loop), lease.py (until when a worker may act),
ending.py (what follows an attempt), runner.py (the part that runs in a child),
catalog.py (which code a job may name), chores.py (promote, rescue), pace.py (how
many jobs to claim).
"""
