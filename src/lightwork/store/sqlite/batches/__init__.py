"""Batches: many rows in one statement of SQLite."""
