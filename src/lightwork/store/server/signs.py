"""Signs of life on a server: none. Workers of other machines are known by their leases alone."""

import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import NoReturn


class NoSigns:
    """Knows nothing of anybody; see store/database.py for each method."""

    def begin(self, _worker_id: uuid.UUID, _lease: float) -> None:
        """Say nothing."""

    def knows(self, _worker_id: uuid.UUID) -> bool:
        """Nobody is known."""
        return False

    def renew(
        self, worker_id: uuid.UUID, lease: float, _renew_row: Callable[[], Future[bool]]
    ) -> NoReturn:
        """Never called: of nobody was said that it lives."""
        raise AssertionError(worker_id, lease)

    def end(self, _worker_id: uuid.UUID, *, is_dead: bool = False) -> None:
        """Say nothing; whatever is held is rescued when the lease has run out."""

    def is_live(self, _worker_id: uuid.UUID) -> None:
        """Only the database can tell."""

    def ended(self) -> tuple[list[uuid.UUID], list[uuid.UUID]]:
        """Nobody."""
        return [], []

    def is_one_dead(self) -> bool:
        """Nobody."""
        return False

    def bury(self, _dead: Iterable[uuid.UUID]) -> None:
        """Nobody."""
