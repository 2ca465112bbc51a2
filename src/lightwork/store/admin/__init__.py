"""Admin: what people look at, stop and set right: listings, queues, roll-ups, news, checks.

Functions of a connection, inside a transaction that the caller began, as in operations/.
"""
