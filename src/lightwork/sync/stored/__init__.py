"""Stored: a host that is a store: a database, or a server before it.

    host.py      asks, for any thread of this process
    session.py   the lease of this process
    line.py      one thread: its requests one after the other, and what an interrupt left of the last
    waiting.py   until another answers

A lease lock can promise no more than this: whoever holds it is the only one *as long as its session is
trusted*. A process that is stopped for an hour between two instructions may wake up and write, not
knowing yet that it has lost all; no lock across machines can prevent that. So each grant has a token that
only grows: a resource that remembers the highest one which it has seen refuses the late one.
"""
