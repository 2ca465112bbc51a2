"""Payloads: how large they and results may be, as the store's settings say; looked at in every submit.

What nobody has set bounds nothing here: then the codec of who submits has the last word, as ever.
One that is kept stays whatever is set later: it runs, and may be retried.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, select

from lightwork.bounds.payloads import FRESH, LEAST_BOUND, check_payloads, check_result
from lightwork.clock import monotonic
from lightwork.model import NewJob, NewSchedule, Setting
from lightwork.store.sql.rows import instant, text_of
from lightwork.store.tables.settings import setting

MAX_PAYLOAD: Final = "max_payload"
# Digits that a number of bytes has at most.
_DIGITS: Final = 18

_FIND: Final = select(setting.c.value, setting.c.set_by, setting.c.set_at).where(
    setting.c.name == MAX_PAYLOAD
)


def max_payload(connection: Connection, default: int) -> Setting:
    """Return how large a payload may be, and who has said so."""
    row = connection.execute(_FIND).one_or_none()
    value = None if row is None else _number(row.value)
    if row is None or value is None:
        return Setting(name=MAX_PAYLOAD, value=default, default=default)
    return Setting(
        name=MAX_PAYLOAD,
        value=value,
        default=default,
        set_by=text_of(row.set_by),
        set_at=instant(row.set_at),
    )


class PayloadBound:
    """The bound as one store has read it.

    Args:
        default: Bytes, where nobody has set anything.
    """

    def __init__(self, default: int) -> None:
        self.default = default
        # When it was read, and what; changed as a whole, by whatever thread is there.
        self._known: tuple[float, Setting | None] = (-FRESH, None)

    def is_stale(self) -> bool:
        """Whether it was read too long ago to count."""
        return monotonic() - self._known[0] >= FRESH

    def read(self, connection: Connection) -> Setting:
        """Read it anew."""
        # Before the look: what is set during it may have been missed.
        now = monotonic()
        found = max_payload(connection, self.default)
        self._known = (now, found)
        return found

    def check(self, connection: Connection, jobs: Sequence[NewJob | NewSchedule]) -> None:
        """Refuse what is too large, in the transaction that is to keep it.

        Raises:
            PayloadError: It is.
        """
        if self.is_stale():
            self.read(connection)
        self.check_known(jobs)

    def check_result(self, connection: Connection, task: str, result: bytes) -> None:
        """Refuse a result that is too large, in the transaction that is to keep it.

        Raises:
            PayloadError: It is.
        """
        if len(result) <= LEAST_BOUND:
            return
        found = self._known[1]
        if found is None or self.is_stale():
            found = self.read(connection)
        check_result(task, result, found)

    def check_known(self, jobs: Sequence[NewJob | NewSchedule]) -> None:
        """Do the same by what was read last."""
        found = self._known[1]
        if found is not None and found.set_at is not None:
            check_payloads(jobs, found)


def _number(stored: Any) -> int | None:
    text = str(stored)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else None
