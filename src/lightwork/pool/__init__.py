"""Pool: calls on this machine, on threads and on child processes.

Knows nothing of stores, jobs or workers. Read in this order: executor.py (what
every pool offers), process.py (the pool of children), plan.py (its decisions),
dispatcher.py (its I/O), child.py (the other side).
"""
