"""Store: jobs and their outcomes in SQL.

Knows nothing of pools. Read in this order: contract.py (what a store offers),
tables.py (where it is kept), writer.py and filelock.py (how SQLite is written),
statements.py (what is said to the database), sqlstore.py (the whole).
"""
