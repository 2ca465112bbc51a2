"""Call: one function call as a pool sees it, and the options it is run under."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from lightwork.model import Policy, Progress
from lightwork.pool.future import Future
from lightwork.tasks import Task, check_callable


class Split(NamedTuple):
    """Items of a bundle have become a call of their own: those of this call from one on.

    Attributes:
        first: The first item of this call, counted within the bundle.
        at: The first one of the other call.
        future: Of the other call.
    """

    first: int
    at: int
    future: Future[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions:
    """How one call is run: the part of a policy that a pool obeys.

    Attributes:
        timeout: Seconds the call may run before its child is killed; 0: no limit.
        max_memory: Bytes its child may hold meanwhile; 0: no limit.
        priority: Higher starts first.
        on_progress: Called in a pool thread with each Progress the call reports.
        retries: The policy under which it is run again after a failure; None: it is run once.
        attempt: Number of the attempt; 0 for a call that is run once.
        start_at: Monotonic instant before which the call does not start; 0: at once.
        items: How many items the call is a bundle of (bundle.py); 0: none, it is one call.
        on_split: Called in a pool thread when some items of a bundle have become another call,
            before either ends.
    """

    timeout: float = 0.0
    max_memory: int = 0
    priority: int = 0
    on_progress: Callable[[Progress], object] | None = None
    retries: Policy | None = None
    attempt: int = 0
    start_at: float = 0.0
    items: int = 0
    on_split: Callable[[Split], None] | None = None


PLAIN = CallOptions()


def call_options(fn: Callable[..., Any], whose: str) -> CallOptions:
    """Return the options that a task declares, or the default ones.

    Every call of every executor begins here, so this is where a function is told from what
    is none; `whose` act it was: "submit" or "map".

    Raises:
        UsageError: It cannot be called.
    """
    if not isinstance(fn, Task):
        check_callable(fn, whose)
        return PLAIN
    policy: Policy = fn.policy
    limits = policy.timeout or policy.max_memory
    heard = fn.on_progress
    if not (limits or policy.retries or policy.delay or policy.priority or heard):
        # Most tasks: to make options takes five times as long as to see that they are plain.
        return PLAIN
    return CallOptions(
        timeout=policy.timeout,
        max_memory=policy.max_memory,
        priority=policy.priority,
        on_progress=heard,
        start_at=time.monotonic() + policy.delay if policy.delay else 0.0,
        retries=policy if policy.retries else None,
        attempt=1 if policy.retries else 0,
    )
