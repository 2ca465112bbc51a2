"""Pool: calls on this machine, on threads and on child processes.

Knows nothing of stores, jobs or workers. Read in this order: executor/executor.py (what
every pool offers), process/executor.py (the pool of children), process/scheduler.py (where
each call is), process/pool.py (who may do what, and when), link/link.py (the pool's end of
one child), child/main.py (the other side).
"""
