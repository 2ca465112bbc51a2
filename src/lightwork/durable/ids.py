"""Ids: names of jobs, made by whoever submits, so that a repeated submit is harmless."""

import hashlib
import secrets
import time
from typing import Final
from uuid import UUID

from lightwork.errors import UsageError

_VERSION_SHIFT: Final = 76
_VARIANT_SHIFT: Final = 62


def new_job_id() -> UUID:
    """Return a fresh id (UUID version 7: ordered by time, so it is cheap to index)."""
    head = time.time_ns() // 1_000_000 << 80
    return _stamped(head | int.from_bytes(secrets.token_bytes(10), "big"), version=7)


def keyed_job_id(key: str, task: str, digest: bytes, number: int) -> UUID:
    """Return the id (UUID version 8) of the n-th job with this key, task and arguments."""
    text = f"{key}\0{task}\0{number}\0".encode() + digest
    return _stamped(int.from_bytes(hashlib.sha256(text).digest()[:16], "big"), version=8)


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


def _stamped(number: int, *, version: int) -> UUID:
    # UUID(version=) knows 7 and 8 only from Python 3.14 on.
    number &= ~(0xF << _VERSION_SHIFT) & ~(0x3 << _VARIANT_SHIFT)
    return UUID(int=number | version << _VERSION_SHIFT | 0x2 << _VARIANT_SHIFT)
