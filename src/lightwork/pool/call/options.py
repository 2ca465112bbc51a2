"""Options: one function call as a pool sees it, and the options it is run under."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lightwork.callables import AnyTask, check_callable
from lightwork.errors import UsageError
from lightwork.pool.call.future import Future

if TYPE_CHECKING:
    from concurrent import futures
    from uuid import UUID

    from lightwork.model import Policy, Progress


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


class CallOptions(NamedTuple):
    """How one call is run: the part of a policy that a pool obeys; keywords only.

    No dataclass: one costs a millisecond of every program's start, and the first of all eight.

    Attributes:
        timeout: Seconds the call may run before its child is killed; 0: no limit.
        max_memory: Bytes its child may hold meanwhile; 0: no limit.
        priority: Higher starts first.
        on_progress: Called in a pool thread with each Progress the call reports.
        retries: The policy under which it is run again after a failure; None: it is run once.
        attempt: Number of the attempt; 0 for a call that is run once.
        snoozes: How many of them asked to be run later, which is no failure.
        start_at: Monotonic instant before which the call does not start; 0: at once.
        items: How many items the call is a bundle of (map/bundle.py); 0: none, it is one call.
        on_split: Called in a pool thread when some items of a bundle have become another call,
            before either ends.
        after: Futures that must be done before, beside those among the arguments; ids, for stores.
        on_failure: "run" it also if one of them fails, or "fail".
    """

    timeout: float = 0.0
    max_memory: int = 0
    priority: int = 0
    on_progress: "Callable[[Progress], object] | None" = None
    retries: "Policy | None" = None
    attempt: int = 0
    snoozes: int = 0
    start_at: float = 0.0
    items: int = 0
    on_split: Callable[[Split], None] | None = None
    after: "tuple[futures.Future[Any] | UUID, ...]" = ()
    on_failure: str = "fail"


PLAIN = CallOptions()

# Coroutine calls on one event loop at a time, unless the user says otherwise.
ASYNC_CALLS: Final = 100


def call_options(
    fn: Callable[..., Any], whose: str, *, has_transactions: bool = False
) -> CallOptions:
    """Return the options that a task declares, or the default ones.

    Every call of every executor begins here, so this is where a function is told from what
    is none; `whose` act it was: "submit" or "map"; `has_transactions`: there is a database.

    Raises:
        UsageError: It cannot be called, or not here.
    """
    if not isinstance(fn, AnyTask):
        check_callable(fn, whose)
        return PLAIN
    if fn.transaction and not has_transactions:
        raise UsageError(
            f"{fn!r} is declared with transaction=True: it gets a session of the store in which its "
            "outcome is kept, and here is no store. Submit it to an executor of a store's URL, or call "
            "the function itself with a session of yours: `task.fn(session, ...)`"
        )
    policy = fn.policy
    limits = policy.timeout or policy.max_memory
    heard = fn.on_progress
    is_late = policy.delay or policy.at
    waits = fn.after or fn.on_failure != "fail"
    if not (limits or policy.retries or is_late or policy.priority or heard or waits):
        # Most tasks: to make options takes five times as long as to see that they are plain.
        return PLAIN
    return CallOptions(
        timeout=policy.timeout,
        max_memory=policy.max_memory,
        priority=policy.priority,
        on_progress=heard,
        start_at=_start_at(policy) if is_late else 0.0,
        retries=policy if policy.retries else None,
        attempt=1 if policy.retries else 0,
        after=fn.after,
        on_failure=fn.on_failure,
    )


def _start_at(policy: "Policy") -> float:
    delay = policy.at.timestamp() - time.time() if policy.at else policy.delay
    return time.monotonic() + max(delay, 0.0)
