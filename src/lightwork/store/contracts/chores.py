"""Chores: what any worker may do for all of a store."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Chores:
    """What there is to do for the whole store."""

    due_in: float | None
    """Seconds until the earliest scheduled job or schedule is due; None: none is."""
    over_in: float | None
    """Seconds until the time of a job or of a unique key is over; None: none is to be."""
    has_untold: bool
    """Whether what waits for jobs that have ended has yet to be told."""
    has_waiting: bool
    """Whether a job waits for a limit."""
