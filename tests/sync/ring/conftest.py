"""A broker of its own for each test."""

from sync.own_broker import folder, host, leftovers, program, two

__all__ = ["folder", "host", "leftovers", "program", "two"]
