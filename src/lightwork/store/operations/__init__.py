"""Operations: what a store does, as functions of a connection, inside a transaction of the caller's.

They know tables, statements and the spelling that they are given, never which database it is.
"""
