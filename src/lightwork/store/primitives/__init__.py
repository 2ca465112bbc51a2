"""Primitives: locks, queues and shared values that a store keeps, as machines whose state is a row.

    kinds.py        which machines there are, and their states as bytes
    cells.py        what is large of a state, as rows of its own
    stepping.py     one primitive, locked: events go in, answers and the new state come out
    asking.py       ask, collect, withdraw
    sessions.py     the leases on which everything hangs
    keeping.py      make, list, break, remove, prune
    statements.py   the SQL

One transaction is one event (and, before it, the loss of each session that is found to be over):

1. Lock the row of the primitive. All that follows is read after that, so it is as the last one left it.
2. Read the asker: its session must live *now*, and its request must be a new one; else nothing is changed,
   and the answer is the one that was given before, or "lost".
3. End the sessions that may hold or wait here and whose lease ran out, by a DELETE that names the
   lease: a renewal that came first wins, and one that comes later finds no row. So of a session that lives nobody
   is told that it is lost.
4. Step the machine, write the state, guarded by the version that was read, and an answer for each who waits.

So nothing is granted to a session that is lost, what is let go is handed over in the transaction
that lets it go, and a crash anywhere leaves what was before it or after it. Rows are locked in one order:
a primitive, then sessions by id; who ends a session locks one primitive at a time.

A database clock decides when a lease is over. A holder trusts its own clock, and for less than the
lease (../../sync/stored): between the two lies the margin.
"""
