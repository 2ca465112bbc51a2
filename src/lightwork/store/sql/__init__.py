"""SQL: tables, statements and rows, the same on every database, and what dialects spell otherwise."""
