"""Living: the workers of this process that have a file each which says that they live.

What the files mean says life.py. A renewal writes the file, and then has the writer do
the same to the row of the worker, for whoever looks and for claims. That may wait for
hours while somebody else holds the database; the lease does not.
"""

import contextlib
import dataclasses
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Final
from uuid import UUID

from lightwork.errors import StoreError, StoreUnavailable
from lightwork.store import workers
from lightwork.store.life import Life, Sign, dead_in, forget, is_one_dead, life_of
from lightwork.store.views import WorkerView
from lightwork.store.writer import Writer

# How long a renewal waits for the row too. Whoever was declared dead hears of it so.
_SHORTLY: Final = 0.2


class Living:
    """The signs of one store's workers; any thread may call."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()  # guards both tables
        self._signs: dict[UUID, Sign] = {}
        self._rows: dict[UUID, Future[bool]] = {}

    def begin(self, worker_id: UUID, lease: float) -> None:
        """Make the file of a worker."""
        with self._lock, self._errors():
            self._signs[worker_id] = Sign(self._folder, worker_id, lease)

    def knows(self, worker_id: UUID) -> bool:
        """Whether the worker has a file here."""
        return worker_id in self._signs

    def renew(self, worker_id: UUID, lease: float, writer: Writer) -> bool:
        """Renew a lease; False: somebody has declared the worker dead."""
        with self._lock, self._errors():
            self._signs[worker_id].renew(lease)
            row = self._rows.get(worker_id)
            if row is None:
                row = self._rows[worker_id] = writer.post_soon(
                    lambda connection: workers.renew(connection, worker_id, lease, is_living=True)
                )
        try:
            is_renewed = row.result(_SHORTLY)
        except TimeoutError:
            # Somebody keeps the database; the row is renewed when he lets go.
            return True
        except StoreError:
            is_renewed = True
        with self._lock:
            self._rows.pop(worker_id, None)
        return is_renewed

    def end(self, worker_id: UUID, *, is_dead: bool = False) -> None:
        """Let go of the file of a worker; `is_dead`: leave it for those who rescue."""
        with self._lock:
            sign = self._signs.pop(worker_id, None)
            row = self._rows.pop(worker_id, None)
        if row is not None:
            # Nobody needs it any more.
            row.cancel()
        if sign is not None:
            sign.end(is_left=is_dead)

    def life(self, worker_id: UUID) -> Life:
        """Tell whether a worker of any process lives."""
        return life_of(self._folder, worker_id)

    def dead(self) -> list[UUID]:
        """Return workers of any process that have died and are not buried."""
        return dead_in(self._folder)

    def is_one_dead(self) -> bool:
        """Whether there is such a worker, as of a moment ago."""
        return is_one_dead(self._folder)

    def bury(self, dead: Iterable[UUID]) -> None:
        """Remove the files of workers whose death is in the database."""
        for worker_id in dead:
            forget(self._folder, worker_id)

    def corrected(self, view: WorkerView) -> WorkerView:
        """Return a worker's view with what its file says."""
        life = Life.UNKNOWN if view.state == "dead" else self.life(view.id)
        is_live = view.is_live if life is Life.UNKNOWN else life is Life.ALIVE
        return view if is_live == view.is_live else dataclasses.replace(view, is_live=is_live)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (FileExistsError, NotADirectoryError) as error:
            raise StoreError(
                f"{self._folder} is no folder, and the workers of the store keep their files in "
                "a folder of that name; see what it is, and move it away"
            ) from error
        except OSError as error:
            raise StoreUnavailable(
                f"the folder {self._folder} cannot be written: {error}"
            ) from error
