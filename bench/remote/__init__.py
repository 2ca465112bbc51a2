"""Durable jobs through `lightwork serve`, beside the store used directly: what bench_net.py measures, and how.

sides.py names who takes part; seat.py is a process that takes one turn: a new database, a server for those that
use one, one row, its figures; crowd.py is a process full of idle workers, queues.py the pattern of
`multiprocessing.managers`. Turns, table, boards and databases are those of durable/.
"""
