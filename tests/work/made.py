"""Attempts as tests need them."""

import itertools
import uuid
from typing import Any

from lightwork.model import Attempt, Policy
from lightwork.tasks.task import make_policy

_seqs = itertools.count(1)


def attempt(
    task: str = "module:task",
    payload: bytes = b"",
    *,
    number: int = 1,
    failures: int = 0,
    crashes: int = 0,
    **policy: Any,
) -> Attempt:
    return Attempt(
        job_id=uuid.uuid4(),
        seq=next(_seqs),
        number=number,
        task=task,
        payload=payload,
        policy=make_policy(Policy(), **policy),
        failures=failures,
        crashes=crashes,
    )
