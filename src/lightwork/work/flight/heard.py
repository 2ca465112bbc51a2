"""Heard: what an attempt says while it runs, for whoever holds it."""

from collections.abc import Callable

from lightwork.model import Progress
from lightwork.pool.call.reporter import Observer


class Heard(Observer):
    """Passes on how far an attempt is, and what it does about other jobs."""

    def __init__(
        self, on_progress: Callable[[Progress], object], on_waits: Callable[[float], object]
    ) -> None:
        self._on_progress = on_progress
        self._on_waits = on_waits

    def __call__(self, progress: Progress) -> None:
        """Pass on how far it is."""
        self._on_progress(progress)

    def waits(self, what: float) -> None:
        """Pass on that it waits, asks, or goes on; see pool/call/current.py."""
        self._on_waits(what)
