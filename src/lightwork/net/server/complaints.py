"""Complaints: what uvicorn logs of requests that are none, bounded.

It warns of each, whoever has sent it: a stranger could fill the disk. Here one line in SECONDS says how many
there were since the last, and what was wrong with the newest.
"""

import logging
from typing import Final

from lightwork.clock import monotonic

SECONDS: Final = 60.0
LOGGER: Final = logging.getLogger("uvicorn.error")
# Where uvicorn reads requests.
_READS: Final = frozenset({"httptools_impl"})
_LINE: Final = "requests_invalid requests=%d last=%s"


class Complaints(logging.Filter):
    """Lets one warning of a request pass in a while; everything else always."""

    def __init__(self, seconds: float = SECONDS) -> None:
        super().__init__()
        self._seconds = seconds
        self._count = 0
        self._tell_at = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is logged; one that is says how many it stands for."""
        is_complaint = record.levelno == logging.WARNING and record.module in _READS
        # Said by the filter of another server in this process.
        if not is_complaint or record.msg == _LINE:
            return True
        self._count += 1
        now = monotonic()
        if now < self._tell_at:
            return False
        record.msg, record.args = _LINE, (self._count, record.getMessage())
        self._count, self._tell_at = 0, now + self._seconds
        return True
