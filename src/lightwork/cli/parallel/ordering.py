"""Ordering: who is printed next. Pure."""

from lightwork.cli.parallel.jobs import End


class Ordering:
    """Passes ends on as they come, or in the order in which jobs were started.

    Args:
        keeps: Whether in the order of the start.
    """

    def __init__(self, *, keeps: bool) -> None:
        self._keeps = keeps
        self._next = 0
        # None: a job without an end, which nobody waits for.
        self._waiting: dict[int, End | None] = {}

    def add(self, position: int, end: End | None) -> list[End]:
        """Take the end of the job that was started as number `position`, from 0; return whose turn it is."""
        if not self._keeps:
            return [] if end is None else [end]
        self._waiting[position] = end
        turn: list[End] = []
        while self._next in self._waiting:
            found = self._waiting.pop(self._next)
            self._next += 1
            if found is not None:
                turn.append(found)
        return turn

    def rest(self) -> list[End]:
        """Return those that still wait, in order, when nothing else will come."""
        found = [end for _, end in sorted(self._waiting.items()) if end is not None]
        self._waiting.clear()
        return found
