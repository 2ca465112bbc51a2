"""Durable jobs of lightwork beside those of its peers: what bench_store.py measures, and how.

apps/ has a module for each library, all with the same names: `install`, `submit_many`, `submit_one`,
`serve`. seat.py is a process that takes one turn: a new database, one row, its figures; run.py
lets all sides take turns; board.py is where job bodies leave word; servers.py makes databases and
looks what they cost. long_rows.py names what takes long, long_turns.py measures it. report.py, of bench/local, has the medians; table.py and goals.py show them.
"""
