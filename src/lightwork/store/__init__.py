"""Store: jobs and their outcomes in SQL.

Knows nothing of pools. Read in this order: contract.py (what a store offers),
sqlstore.py (the whole), operations/ (how each thing is done), sql/ (what is said to
the database, and where it is kept), sqlite/ (the database itself).
"""
