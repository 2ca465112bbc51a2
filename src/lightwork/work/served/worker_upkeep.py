"""Worker's upkeep: all of it, or at a server that does it only what this worker alone can know.

That is when a job is due which it has put off itself, for milliseconds perhaps, and how long it was told to
keep jobs. A worker in burst mode does all of it: it must not end before what is due is ready.
"""

from collections.abc import Callable, Iterable
from typing import Final

from lightwork.lifecycle import AttemptEnd, Retried, Snoozed
from lightwork.store.contract import Store
from lightwork.store.views import Rescued
from lightwork.work.incarnation import WorkerSettings
from lightwork.work.upkeep import Upkeep

_PUT_OFF: Final = (Retried, Snoozed)


class WorkerUpkeep:
    """When one worker does what for the store; used by its loop only."""

    def __init__(
        self,
        store: Store,
        settings: WorkerSettings,
        changes: Callable[[], int] | None = None,
    ) -> None:
        self._store = store
        self._upkeep = Upkeep(store, settings.lease, settings.retention, changes)
        self._does_all = settings.burst
        self._is_left = False

    def note_ends(self, ends: Iterable[AttemptEnd]) -> None:
        """Note which jobs have been put off here."""
        for end in ends:
            if isinstance(end, _PUT_OFF):
                self._upkeep.expect_due(end.delay)

    def next_at(self) -> float:
        """Return the instant at which something is due next."""
        return self._upkeep.own_next_at() if self._is_left else self._upkeep.next_at()

    def do_due(self) -> list[Rescued]:
        """Do what is due; return the attempts that were rescued."""
        # Each time: a server that is started again may be of another release.
        self._is_left = not self._does_all and self._store.has_upkeep
        if not self._is_left:
            return self._upkeep.do_due()
        self._upkeep.do_own()
        return []
