"""Worker signs: the workers of this process that have a file each which says that they live.

The `Signs` of store/database.py. What the files mean says worker_file.py. A renewal writes the
file, and then has the row of the worker renewed, for whoever looks and for claims. That
may wait for hours while somebody else holds the database; the lease does not.
"""

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import Final
from uuid import UUID

from lightwork.errors import StoreError, StoreUnavailable
from lightwork.store.sqlite.worker_file import Life, Sign, forget, is_one_dead, life_of, lives_in

# How long a renewal waits for the row too. Whoever was declared dead hears of it so.
_SHORTLY: Final = 0.2


class WorkerSigns:
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

    def renew(self, worker_id: UUID, lease: float, renew_row: Callable[[], Future[bool]]) -> bool:
        """Renew a lease; False: somebody has declared the worker dead, or it has ended."""
        with self._lock, self._errors():
            sign = self._signs.get(worker_id)
            if sign is None:
                return False
            sign.renew(lease)
            row = self._rows.get(worker_id)
            if row is None:
                row = self._rows[worker_id] = renew_row()
        try:
            is_renewed = row.result(_SHORTLY)
        except TimeoutError:
            # Somebody keeps the database; the row is renewed when he lets go.
            return True
        except CancelledError:
            # By `end`, in another thread.
            return False
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

    def is_live(self, worker_id: UUID) -> bool | None:
        """Whether a worker of any process may act; None: it cannot be told."""
        life = life_of(self._folder, worker_id)
        return None if life is Life.UNKNOWN else life is Life.ALIVE

    def ended(self) -> tuple[list[UUID], list[UUID]]:
        """Return workers of any process: who has died and is not buried; who is late."""
        lives = lives_in(self._folder)
        dead = [worker_id for worker_id, life in lives.items() if life is Life.DEAD]
        return dead, [worker_id for worker_id, life in lives.items() if life is Life.LATE]

    def is_one_dead(self) -> bool:
        """Whether there is such a worker, as of a moment ago."""
        return is_one_dead(self._folder)

    def bury(self, dead: Iterable[UUID]) -> None:
        """Remove the files of workers whose death is in the database."""
        for worker_id in dead:
            forget(self._folder, worker_id)

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
