"""Callers: who waits for something, first come, first served."""

from lightwork.machines.shapes import Caller

Callers = tuple[Caller, ...]


def without(callers: Callers, caller: Caller) -> Callers:
    """Return those who still wait after one has gone."""
    return tuple(other for other in callers if other != caller)


def without_session(callers: Callers, session: bytes) -> Callers:
    """Return those who still wait after all of a session have gone."""
    return tuple(other for other in callers if other.session != session)
