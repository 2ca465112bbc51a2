"""Submitting: one submit of jobs, as a closure that a database runs, or as a statement that is sent ahead.

Plain jobs (sql/many.py) of which all ids have just been made can be *begun*, where a database can do that: what
keeps them is sent, and whoever has sent it goes on. What is begun and fails is written once more as any
other submit is, which says what is wrong; ids make that harmless.
"""

import uuid
from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy import Connection

from lightwork.model import NewJob
from lightwork.store.operations import jobs as operations
from lightwork.store.operations.bounds import unique
from lightwork.store.operations.bounds.payloads import PayloadBound
from lightwork.store.sql.many import plain_jobs
from lightwork.store.sql.spelling import Spelling
from lightwork.store.views import KnownCall

Begin = Callable[[Connection], Callable[[], list[bool]]]

# Of ids that a client has made for this very submit; all others may be known.
_FRESH: Final = 7


class Submit:
    """Jobs that are to be kept, all or none.

    Args:
        spelling: Of the database.
        payloads: How large they may be.
        jobs: With ids.
        taken: Gets an entry for each that is not kept for its unique key.
        known: Gets what is kept of each that is not kept for its id.
    """

    def __init__(
        self,
        spelling: Spelling,
        payloads: PayloadBound,
        jobs: Sequence[NewJob],
        taken: dict[uuid.UUID, uuid.UUID] | None,
        known: dict[uuid.UUID, KnownCall] | None,
    ) -> None:
        self._spelling = spelling
        self._payloads = payloads
        self._jobs = jobs
        self._taken = taken
        self._known = known
        self._plain = plain_jobs(jobs) if spelling.keeps_plain else None

    @property
    def is_alone(self) -> bool:
        """Whether it is a single statement."""
        return self._plain is not None

    def write(self, connection: Connection) -> list[bool]:
        """Keep them; say of each whether it is new."""
        self._payloads.check(connection, self._jobs)
        insert = operations.submit if self._plain is None else operations.submit_plain(self._plain)
        return unique.submit(
            connection,
            self._spelling,
            self._jobs,
            taken=self._taken,
            known=self._known,
            insert=insert,
        )

    def beginning(self) -> Begin | None:
        """Return what sends them, and returns what waits for the answer; None: that cannot be."""
        plain = self._plain
        if plain is None or self._known is not None or self._payloads.is_stale():
            return None
        if any(job_id[6] >> 4 != _FRESH for job_id in plain.ids):
            return None
        self._payloads.check_known(self._jobs)

        def begin(connection: Connection) -> Callable[[], list[bool]]:
            receive = self._spelling.begin_plain(connection, plain)

            def receive_all() -> list[bool]:
                receive()
                return [True] * len(plain.ids)

            return receive_all

        return begin
