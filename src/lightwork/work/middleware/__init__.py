"""Middleware: what users have run around each attempt, where the attempt runs."""
