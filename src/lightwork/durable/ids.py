"""Ids: names of jobs, made by whoever submits, so that a repeated submit is harmless."""

import hashlib
import os
import secrets
import time
from struct import iter_unpack
from typing import Final
from uuid import UUID, SafeUUID

from lightwork.errors import UsageError

_VERSION_SHIFT: Final = 76
_VARIANT_SHIFT: Final = 62
_DRAWN: Final = 500
# Version 7, and the variant, above what is drawn.
_HIGH: Final = 0x7000
_LOW: Final = 0x2 << _VARIANT_SHIFT
_REST: Final = (1 << _VARIANT_SHIFT) - 1
# Whether the standard library's UUID is made as we know it.
_IS_KNOWN: Final = {"int", "is_safe"} <= set(UUID.__slots__) and not hasattr(
    UUID(int=0), "__dict__"
)
# Its own __setattr__ refuses; its __init__ does the same.
_bare: Final = object.__new__
_set: Final = object.__setattr__
# All but the time of an id. A list's own steps are never cut in two by another thread.
_drawn: Final[list[int]] = []
# A child would give its jobs the ids that its parent gives.
os.register_at_fork(after_in_child=_drawn.clear)


def new_job_id() -> UUID:
    """Return a fresh id (UUID version 7: ordered by time, so it is cheap to index)."""
    return _as_id(time.time_ns() // 1_000_000 << 80 | _chance())


def _as_id(number: int) -> UUID:
    """Return UUID(int=number) in a third of the time, of a number that is one."""
    if not _IS_KNOWN:
        return UUID(int=number)
    made = _bare(UUID)
    _set(made, "int", number)
    _set(made, "is_safe", SafeUUID.unknown)
    return made


def _chance() -> int:
    """Return 80 bits that nobody else has: asked of the system for many ids at once, at 1 to 10 us a call."""
    try:
        return _drawn.pop()
    except IndexError:
        drawn = iter_unpack(">HQ", secrets.token_bytes(10 * _DRAWN))
        first: int
        first, *rest = [(_HIGH | high & 0xFFF) << 64 | _LOW | low & _REST for high, low in drawn]
        _drawn.extend(rest)
        return first


def keyed_job_id(key: str, task: str, digest: bytes, number: int) -> UUID:
    """Return the id (UUID version 8) of the n-th job with this key, task and arguments."""
    text = f"{key}\0{task}\0{number}\0".encode() + digest
    return UUID(int=_stamped(int.from_bytes(hashlib.sha256(text).digest()[:16], "big"), version=8))


def parse_job_id(job_id: UUID | str) -> UUID:
    """Return the id that is meant.

    Raises:
        UsageError: It is no id.
    """
    if isinstance(job_id, UUID):
        return job_id
    try:
        return UUID(job_id)
    except ValueError as error:
        raise UsageError(f"a job id is a UUID; seen: {job_id!r}") from error


def _stamped(number: int, *, version: int) -> int:
    # UUID(version=) knows 7 and 8 only from Python 3.14 on.
    number &= ~(0xF << _VERSION_SHIFT) & ~(0x3 << _VARIANT_SHIFT)
    return number | version << _VERSION_SHIFT | 0x2 << _VARIANT_SHIFT
