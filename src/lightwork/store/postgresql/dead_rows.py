"""Dead rows: removed soon, so that they are not in the way of those who look for the next job.

Each job leaves a dead row in `ready` and one in `running`, with entries in their indexes. Whoever looks for
the next job walks over these, a third of a microsecond each, until a vacuum has removed them. The server's own comes
once a minute at the soonest: at ten thousand jobs a second half a million rows late. So every worker vacuums the small
tables once some thousands are dead, and none need know of the others: a vacuum skips a table that another one has locked.

While a transaction is held open anywhere in the database (a report, a dump, a session that somebody forgot),
no vacuum removes what it may see. Then it is said whose it is, and claims begin behind marks (marks.py).

A large table takes seconds, so this is done on a thread of its own; `sweep` returns at once. There is time for
full looks that take long as well, which would keep others waiting.
"""

import functools
import logging
import math
import random
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from lightwork.clock import monotonic
from lightwork.errors import StoreError
from lightwork.store.postgresql.behind import look_at_lanes
from lightwork.store.postgresql.marks import Marks
from lightwork.store.server.server import Look
from lightwork.store.server.soon import Soon
from lightwork.store.tables import metadata
from lightwork.store.tables.jobs import attempt, job, outcome, ready, tag

log = logging.getLogger(__name__)

# Dead rows over which a claim walks in a millisecond, and fewer than it takes.
FEW: Final = 4000
# Seconds for which vacuums were in vain before it is said.
HELD: Final = 10.0
_PAUSE: Final = 1.0
# Of the time, where a table is large.
_VACUUM_SHARE: Final = 0.1
# The same, while it is in vain: it only tells whether it helps again.
_HELD_SHARE: Final = 0.02
# What is kept grows all the same, and nobody walks through it to find the next job.
_KEPT: Final = frozenset({job, outcome, attempt, tag})
_NAMES: Final = {"names": [one.name for one in metadata.sorted_tables if one not in _KEPT]}
# Of tables that this user may vacuum; others are left to the server.
_DEAD: Final = (
    "SELECT s.relname, s.n_dead_tup FROM pg_stat_user_tables AS s "
    "JOIN pg_class AS c ON c.oid = s.relid AND pg_has_role(c.relowner, 'USAGE') "
    "WHERE s.relname = ANY(%(names)s) AND pg_table_is_visible(s.relid)"
)
_HOLDER: Final = (
    "SELECT concat_ws(', ', 'pid ' || pid, application_name, state, 'since ' || xact_start) "
    "FROM pg_stat_activity WHERE backend_xmin IS NOT NULL AND pid <> pg_backend_pid() "
    # Of another database it is in nobody's way here; what replicates belongs to none.
    "AND (datid IS NULL OR datname = current_database()) "
    "AND xact_start < now() - interval '1 second' ORDER BY age(backend_xmin) DESC LIMIT 1"
)
_NOBODY: Final = "somebody whom this user may not see, a replication slot or a prepared transaction"


@dataclass(slots=True)
class _Table:
    """What is known of a table.

    Attributes:
        since: When vacuums began to leave much; inf: they help.
        vacuum_at: When the next one may begin.
        is_told: That they are in vain.
    """

    since: float = math.inf
    vacuum_at: float = 0.0
    is_told: bool = False


class DeadRows:
    """What one store does about them.

    Args:
        look: Calls with a connection on which each statement is a transaction by itself.
        where: The store, as it may be shown.
        marks: Told whether vacuums of what is ready are in vain.
    """

    def __init__(self, look: Look, where: str, marks: Marks) -> None:
        self._look = look
        self._where = where
        self._marks = marks
        self._soon = Soon(where, "lightwork-sweep")
        self._turn: Future[None] | None = None
        self._next_at = 0.0
        self._tables: dict[str, _Table] = {}

    def sweep(self) -> None:
        """Begin to remove what is too much, if it is time and nobody does it; returns at once."""
        is_done = self._turn is None or self._turn.done()
        if is_done and monotonic() >= self._next_at:
            self._turn = self._soon.post(self.sweep_now)

    def close(self) -> None:
        """End the thread."""
        self._soon.close()

    def sweep_now(self) -> None:
        """Do it in this thread."""
        self._next_at = monotonic() + _PAUSE * random.uniform(0.7, 1.0)
        try:
            for name, dead in self._dead().items():
                self._sweep(name, dead)
            self.look_long()
        except StoreError as error:
            # Jobs run without it.
            log.debug("dead_rows_not_removed store=%s error=%s", self._where, error)

    def look_long(self) -> None:
        """Make the full looks at lanes that are due and take long."""
        for queue in self._marks.long_due(monotonic()):
            self._look(
                functools.partial(look_at_lanes, marks=self._marks, queue=queue, is_full=True)
            )

    def _sweep(self, name: str, dead: int) -> None:
        table = self._tables.setdefault(name, _Table())
        if monotonic() < table.vacuum_at:
            return
        if dead <= FEW or self._does_vacuum_help(name, table):
            if table.is_told:
                log.info("dead_rows_removed store=%s table=%s", self._where, name)
            table.since, table.is_told = math.inf, False
            self._tell_marks(name, table)
            return
        table.since = min(table.since, monotonic())
        if not table.is_told and monotonic() - table.since >= HELD:
            table.is_told = True
            self._tell_marks(name, table)
            holder = self._execute(_HOLDER) or _NOBODY
            text = "dead_rows_held store=%s table=%s by=%r: claims walk over them, end that transaction"
            log.warning(text, self._where, name, holder)

    def _tell_marks(self, name: str, table: _Table) -> None:
        if name == ready.name:
            self._marks.set_in_force(table.is_told)

    def _does_vacuum_help(self, name: str, table: _Table) -> bool:
        """Remove what nobody may see any more; return whether little is left."""
        began = monotonic()
        self._execute(f"VACUUM (SKIP_LOCKED, TRUNCATE off) {name}")
        ended = monotonic()
        is_held = table.since != math.inf
        seconds = ended - began
        again_in = max(seconds / _HELD_SHARE, HELD / 2) if is_held else seconds / _VACUUM_SHARE
        table.vacuum_at = ended + again_in
        return self._dead().get(name, 0) <= FEW

    def _execute(self, statement: str) -> Any:
        def execute(connection: Connection) -> Any:
            found = connection.exec_driver_sql(statement)
            return found.scalar() if found.returns_rows else None

        return self._look(execute)

    def _dead(self) -> Mapping[str, int]:
        """Return how many rows of each table are dead, as the statistics say."""

        def look(connection: Connection) -> dict[str, int]:
            rows = connection.exec_driver_sql(_DEAD, _NAMES)
            return dict(map(tuple, rows))

        found = self._look(look)
        assert isinstance(found, dict)
        return found
