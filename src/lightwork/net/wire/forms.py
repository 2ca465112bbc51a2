"""Forms: attempts and their ends as they travel, where that is not what the contract has.

A worker that speaks of an attempt need not send back its payload, nor a policy that the store has; so
up goes what the guard of a write names (`Named`). And of a thousand attempts that come down, nearly
all have one policy, which is sent once: what belongs together is told by `is` (work/worker.py).

The exception itself that an error may hold (`ErrorInfo.packed`) never travels: it is a pickle.
"""

import functools
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from lightwork.errors import UsageError
from lightwork.lifecycle import (
    AttemptEnd,
    Cancelled,
    Failed,
    Forfeited,
    Lost,
    Quarantined,
    Released,
    Retried,
    Snoozed,
    Succeeded,
)
from lightwork.model import Attempt, ErrorInfo, Policy


class Named(NamedTuple):
    """What is said of an attempt by who holds it."""

    job_id: uuid.UUID
    seq: int
    number: int
    queue: str
    ties: int


class Taken(NamedTuple):
    """An attempt on its way to who has claimed it; `policy` is a place in a list of them."""

    job_id: uuid.UUID
    seq: int
    number: int
    task: str
    payload: bytes
    policy: int
    failures: int
    crashes: int
    ties: int
    headers: tuple[tuple[str, str], ...]
    waited: float


class Claimed(msgspec.Struct, frozen=True):
    """The answer to a claim."""

    policies: list[Policy]
    attempts: list[Taken]


class End(msgspec.Struct, frozen=True, omit_defaults=True):
    """How an attempt ended: the word for it, and what belongs to that one.

    What a newer worker says beside it is passed over: an end that is refused would be lost.
    """

    kind: str
    result: bytes = b""
    delay: float = 0.0
    error_type: str = ""
    error_text: str = ""
    traceback: str = ""
    signal: int | None = None
    peak_memory: int | None = None


def named(attempts: Iterable[Attempt]) -> list[Named]:
    """Return attempts as who holds them speaks of them."""
    return [Named(one.job_id, one.seq, one.number, one.policy.queue, one.ties) for one in attempts]


def attempt_of(name: Named) -> Attempt:
    """Return as much of an attempt as a store needs to write about it."""
    return Attempt(
        job_id=name.job_id,
        seq=name.seq,
        number=name.number,
        task="",
        payload=b"",
        policy=_policy_of(name.queue),
        ties=name.ties,
    )


@functools.lru_cache(256)
def _policy_of(queue: str) -> Policy:
    return Policy(queue=queue)


def claimed(attempts: Sequence[Attempt]) -> Claimed:
    """Return attempts on their way to who has claimed them."""
    # By identity: the store reads equal ones into one object.
    places: dict[int, int] = {}
    policies: list[Policy] = []
    taken = []
    for one in attempts:
        place = places.get(id(one.policy))
        if place is None:
            place = places[id(one.policy)] = len(policies)
            policies.append(one.policy)
        taken.append(
            Taken(
                *(one.job_id, one.seq, one.number, one.task, one.payload, place),
                *(one.failures, one.crashes, one.ties, one.headers, one.waited),
            )
        )
    return Claimed(policies, taken)


def attempts_of(answer: Claimed) -> list[Attempt]:
    """Return the attempts of a claim."""
    policies = answer.policies
    return [
        Attempt(
            job_id=one.job_id,
            seq=one.seq,
            number=one.number,
            task=one.task,
            payload=one.payload,
            policy=policies[one.policy],
            failures=one.failures,
            crashes=one.crashes,
            ties=one.ties,
            headers=one.headers,
            waited=one.waited,
        )
        for one in answer.attempts
    ]


def end_form(end: AttemptEnd) -> End:
    """Return an end as it travels."""
    kind = type(end).__name__.lower()
    match end:
        case Succeeded(result):
            return End(kind, result=result)
        case Snoozed(delay):
            return End(kind, delay=delay)
        case Retried(error, delay):
            return _failed(kind, error, delay)
        case Failed(error) | Lost(error) | Quarantined(error):
            return _failed(kind, error)
    return End(kind)


def end_of(form: End) -> AttemptEnd:
    """Return the end that a form stands for.

    Raises:
        UsageError: There is no such end.
    """
    make = _ENDS.get(form.kind)
    if make is None:
        raise UsageError(
            f"{form.kind!r:.40} is no end of an attempt; expected one of {', '.join(_ENDS)}"
        )
    return make(form)


def _error(form: End) -> ErrorInfo:
    return ErrorInfo(
        type=form.error_type,
        text=form.error_text,
        traceback=form.traceback,
        signal=form.signal,
        peak_memory=form.peak_memory,
    )


_ENDS: Final[Mapping[str, Callable[[End], AttemptEnd]]] = {
    "succeeded": lambda form: Succeeded(form.result),
    "retried": lambda form: Retried(_error(form), form.delay),
    "snoozed": lambda form: Snoozed(form.delay),
    "failed": lambda form: Failed(_error(form)),
    "cancelled": lambda _: Cancelled(),
    "released": lambda _: Released(),
    "lost": lambda form: Lost(_error(form)),
    "forfeited": lambda _: Forfeited(),
    "quarantined": lambda form: Quarantined(_error(form)),
}


def _failed(kind: str, error: ErrorInfo, delay: float = 0.0) -> End:
    return End(
        kind,
        delay=delay,
        error_type=storable(error.type),
        error_text=storable(error.text),
        traceback=storable(error.traceback),
        signal=error.signal,
        peak_memory=error.peak_memory,
    )


def storable(text: str) -> str:
    """Return the text with halves of characters spelled out, as stores do: no wire carries them."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")
