"""Lifecycle: the only place that says which state of a job may follow which.

Never touches the database, the clock or a worker: the store turns a legal step
into one guarded UPDATE, the worker turns it into calls. The figure in
docs/design.md is drawn from TRANSITIONS; a pair that is missing there raises.

What moves a job:

- The *submitter* creates it as ready, scheduled (a delay) or blocked (waits for
  other jobs), and may cancel it in any state that is not final.
- A *worker* claims a ready job, which makes an attempt with the next number,
  and ends that attempt with exactly one of Succeeded, Retried, Snoozed, Failed,
  Cancelled, Released, Lost or Quarantined, guarded by that number.
- The *end of a job* unblocks those that wait for it, fails those that need it to
  succeed, and cancels these if it was cancelled.
- *Any* worker promotes what is due and rescues attempts whose lease ran out;
  rescue uses the same Lost and Quarantined as a worker that saw its child die,
  and Forfeited where the attempt had not begun.

Failures and crashes are counted apart: a retry is about the task, a crash about
the machine. Released uses up neither: the attempt was handed back. Nor does Snoozed:
the task itself has asked to be run later. Forfeited uses
up neither; it is counted as a loss, after some of which the job is only claimed
to begin at once (retry.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lightwork.errors import IllegalStep
from lightwork.model import ErrorInfo, State


@dataclass(frozen=True, slots=True)
class Unblocked:
    """Every job that this one waited for has ended as it had to."""


@dataclass(frozen=True, slots=True)
class Delayed:
    """The same, and it has a delay as well."""


@dataclass(frozen=True, slots=True)
class Throttled:
    """A limit has no room for it now."""


@dataclass(frozen=True, slots=True)
class Promoted:
    """Its time has come."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A worker took it; the attempt number grew by one."""


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The attempt returned; `result` is the encoded value."""

    result: bytes


@dataclass(frozen=True, slots=True)
class Retried:
    """The attempt failed and another follows after `delay` seconds."""

    error: ErrorInfo
    delay: float


@dataclass(frozen=True, slots=True)
class Snoozed:
    """The task asked to be run again after `delay` seconds; nothing failed."""

    delay: float


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt failed and none follows."""

    error: ErrorInfo


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Somebody who may do so asked for its end."""


@dataclass(frozen=True, slots=True)
class Released:
    """The worker handed the attempt back, unfinished, without blame."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The child, worker or machine died under it; it may be run again."""

    error: ErrorInfo


@dataclass(frozen=True, slots=True)
class Forfeited:
    """Its worker died before it had begun, as far as is known: nobody is blamed."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """It was lost once too often, or may not be run twice."""

    error: ErrorInfo


@dataclass(frozen=True, slots=True)
class Resubmitted:
    """A person asked for a finished job to be run again."""


@dataclass(frozen=True, slots=True)
class Reblocked:
    """The same, while a job that it needs is unfinished again."""


Event = (
    Unblocked
    | Delayed
    | Throttled
    | Promoted
    | Claimed
    | Succeeded
    | Retried
    | Snoozed
    | Failed
    | Cancelled
    | Released
    | Lost
    | Forfeited
    | Quarantined
    | Resubmitted
    | Reblocked
)

# The events that end an attempt: what a worker may ack.
AttemptEnd = (
    Succeeded | Retried | Snoozed | Failed | Cancelled | Released | Lost | Forfeited | Quarantined
)

TRANSITIONS: Final[Mapping[tuple[State, type[Event]], State]] = {
    (State.BLOCKED, Unblocked): State.READY,
    (State.BLOCKED, Delayed): State.SCHEDULED,
    (State.BLOCKED, Failed): State.FAILED,
    (State.BLOCKED, Cancelled): State.CANCELLED,
    (State.SCHEDULED, Promoted): State.READY,
    (State.SCHEDULED, Cancelled): State.CANCELLED,
    (State.READY, Claimed): State.RUNNING,
    (State.READY, Throttled): State.BLOCKED,
    (State.READY, Cancelled): State.CANCELLED,
    (State.RUNNING, Succeeded): State.SUCCEEDED,
    (State.RUNNING, Retried): State.SCHEDULED,
    (State.RUNNING, Snoozed): State.SCHEDULED,
    (State.RUNNING, Failed): State.FAILED,
    (State.RUNNING, Cancelled): State.CANCELLED,
    (State.RUNNING, Released): State.READY,
    (State.RUNNING, Lost): State.READY,
    (State.RUNNING, Forfeited): State.READY,
    (State.RUNNING, Quarantined): State.FAILED,
    (State.FAILED, Resubmitted): State.READY,
    (State.CANCELLED, Resubmitted): State.READY,
    (State.FAILED, Reblocked): State.BLOCKED,
    (State.CANCELLED, Reblocked): State.BLOCKED,
}


def step(state: State, event: type[Event]) -> State:
    """Return the state that follows, or raise IllegalStep."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalStep(f"a {state} job cannot be {event.__name__}") from None


def states_before(event: type[Event]) -> tuple[State, ...]:
    """Return the states in which the event is legal, for the guard of an UPDATE."""
    return tuple(state for state, known in TRANSITIONS if known is event)


def mermaid() -> str:
    """Draw the table as a Mermaid state diagram, for docs/design.md."""
    lines = ["stateDiagram-v2", "    [*] --> blocked", "    [*] --> scheduled", "    [*] --> ready"]
    lines += [
        f"    {state} --> {after}: {event.__name__}"
        for (state, event), after in TRANSITIONS.items()
    ]
    lines += [f"    {state} --> [*]" for state in State if state.is_final]
    return "\n".join(lines) + "\n"
