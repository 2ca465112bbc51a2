"""Child state: the only place that says which state of a child may follow which. Pure.

What moves a child:

- It *says itself* that it is ready: it has its setup, and its initializer has run.
- Its *pool* retires it (it was given its last call, holds too much memory, or has said that it is
  unfit), tells it to stop when it holds no call, or kills it.
- The *fork server* tells of its death; nothing but what it has left is read from then on.

A pair that is missing in TRANSITIONS is a defect of lightwork, and raises. The figure in
docs/design.md is drawn from them.

A child that dies before it was ready, and that nobody wanted to end, is stillborn; some
of those in a row end the pool (process/plan.py). What it has left may still say that it was
ready, since its last words are read after its death is known.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final

from lightwork.errors import IllegalStep


class ChildState(Enum):
    """Where a child is in its life."""

    # May be given calls; they wait in its pipe until it is ready.
    STARTING = "starting"
    READY = "ready"
    # Get no more calls, and are told to stop when they have answered those that they hold.
    LEAVING_UNREADY = "leaving and not ready"
    LEAVING = "leaving"
    # Holds no call, and ends when it has read the word to stop.
    STOPPING = "stopping"
    # A signal is on its way, or nothing of the child was ever made.
    KILLED = "killed"
    STILLBORN = "stillborn"
    DEAD = "dead"


class ChildEvent(Enum):
    """What happens to a child."""

    SAID_READY = "said that it is ready"
    RETIRED = "retired"
    TOLD_TO_STOP = "told to stop"
    KILLED = "killed"
    DIED = "died"


TRANSITIONS: Final[Mapping[tuple[ChildState, ChildEvent], ChildState]] = {
    (ChildState.STARTING, ChildEvent.SAID_READY): ChildState.READY,
    (ChildState.STARTING, ChildEvent.RETIRED): ChildState.LEAVING_UNREADY,
    (ChildState.STARTING, ChildEvent.TOLD_TO_STOP): ChildState.STOPPING,
    (ChildState.STARTING, ChildEvent.KILLED): ChildState.KILLED,
    (ChildState.STARTING, ChildEvent.DIED): ChildState.STILLBORN,
    (ChildState.READY, ChildEvent.RETIRED): ChildState.LEAVING,
    (ChildState.READY, ChildEvent.TOLD_TO_STOP): ChildState.STOPPING,
    (ChildState.READY, ChildEvent.KILLED): ChildState.KILLED,
    (ChildState.READY, ChildEvent.DIED): ChildState.DEAD,
    (ChildState.LEAVING_UNREADY, ChildEvent.SAID_READY): ChildState.LEAVING,
    (ChildState.LEAVING_UNREADY, ChildEvent.TOLD_TO_STOP): ChildState.STOPPING,
    (ChildState.LEAVING_UNREADY, ChildEvent.KILLED): ChildState.KILLED,
    (ChildState.LEAVING_UNREADY, ChildEvent.DIED): ChildState.STILLBORN,
    (ChildState.LEAVING, ChildEvent.TOLD_TO_STOP): ChildState.STOPPING,
    (ChildState.LEAVING, ChildEvent.KILLED): ChildState.KILLED,
    (ChildState.LEAVING, ChildEvent.DIED): ChildState.DEAD,
    (ChildState.STOPPING, ChildEvent.SAID_READY): ChildState.STOPPING,
    (ChildState.STOPPING, ChildEvent.KILLED): ChildState.KILLED,
    (ChildState.STOPPING, ChildEvent.DIED): ChildState.DEAD,
    (ChildState.KILLED, ChildEvent.SAID_READY): ChildState.KILLED,
    (ChildState.KILLED, ChildEvent.KILLED): ChildState.KILLED,
    (ChildState.KILLED, ChildEvent.DIED): ChildState.DEAD,
    (ChildState.STILLBORN, ChildEvent.SAID_READY): ChildState.DEAD,
    (ChildState.DEAD, ChildEvent.SAID_READY): ChildState.DEAD,
}

# In these a child may be given calls.
TAKE_CALLS: Final = (ChildState.STARTING, ChildState.READY)
# In these it is told to stop as soon as it holds no call.
ARE_LEAVING: Final = (ChildState.LEAVING_UNREADY, ChildState.LEAVING)
# In these it lives, and nobody has told or made it to end: it can be told to stop.
CAN_BE_STOPPED: Final = (*TAKE_CALLS, *ARE_LEAVING)
# In these its initializer has not run, as far as is known.
ARE_UNREADY: Final = (ChildState.STARTING, ChildState.LEAVING_UNREADY)


def step(state: ChildState, event: ChildEvent) -> ChildState:
    """Return the state that follows, or raise IllegalStep."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalStep(f"a child that is {state.value} cannot be {event.value}") from None


def mermaid() -> str:
    """Draw the table as a Mermaid state diagram, for docs/design.md."""
    lines = ["stateDiagram-v2", f"    [*] --> {ChildState.STARTING.name.lower()}"]
    lines += [
        f"    {state.name.lower()} --> {after.name.lower()}: {event.value}"
        for (state, event), after in TRANSITIONS.items()
        if state is not after
    ]
    return "\n".join(lines) + "\n"
