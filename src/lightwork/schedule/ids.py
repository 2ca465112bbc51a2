"""Ids of the jobs of schedules: of one schedule and due time always the same, and the time can be read.

48 bits   the due time in milliseconds since 1970, as UUIDs of version 7 begin: so ids come
in the order of their index
32 bits   a mark, which tells them from other ids of version 8 (keys of maps): by chance one
of those is taken for one of ours in 10**11
40 bits   a hash of the schedule's name: of a thousand schedules that are due at one instant two
have the same in one store of two million
"""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

_MARK: Final = 0x6C777363
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Version 8, the variant, and the mark in what they leave free of the middle 40 bits.
_MIDDLE: Final = 8 << 36 | (_MARK >> 20) << 24 | 2 << 22 | (_MARK & 0xFFFFF)


def job_id_of(schedule: str, due_at: int) -> UUID:
    """Return the id of the job of this schedule and due time: who makes it twice makes it once."""
    digest = hashlib.sha256(schedule.encode(errors="surrogatepass")).digest()
    return UUID(int=(due_at % 2**48) << 80 | _MIDDLE << 40 | int.from_bytes(digest[:5], "big"))


def due_at_of(job_id: str) -> datetime | None:
    """Return the due time that a job was made for; None: no schedule has made it."""
    try:
        number = UUID(job_id).int
    except ValueError:
        return None
    if number >> 40 & 0xFFFFFFFFFF != _MIDDLE:
        return None
    return _EPOCH + timedelta(milliseconds=number >> 80)
