"""Primitives of lightwork beside those of its peers: what bench_sync.py measures, and how.

sides.py makes a lock or a queue of each library; rows.py measures one figure of one side, with child processes that
are forked for it; run.py lets all sides take turns. report.py and table.py, of bench/local, have the
medians and show them; goals.py says what the design wants.

Instants are those of CLOCK_MONOTONIC, which all processes of a machine share: a hand-off is from just before the
release in one process to just after the acquire in another that waits for it.
"""
