"""Event: a flag that callers wait for."""

from dataclasses import dataclass, replace

from lightwork.machines.callers import Callers, without, without_session
from lightwork.machines.shapes import Answer, Ask, Cells, Event, Lost, Plain, Withdraw


@dataclass(frozen=True, slots=True)
class EventState:
    """The flag, and who waits while it is not set."""

    is_set: bool = False
    waiting: Callers = ()


class EventMachine:
    """Set, clear, is_set, wait."""

    kind = "event"

    def begin(self, _spec: tuple[Plain, ...]) -> EventState:
        """Return one that is not set."""
        return EventState()

    def step(
        self, state: EventState, _cells: Cells, event: Event
    ) -> tuple[EventState, tuple[Answer, ...]]:
        """Return the state after an event, and whom it answers."""
        match event:
            case Ask(caller, "set"):
                woken = tuple(Answer(one) for one in state.waiting)
                return EventState(is_set=True), (Answer(caller), *woken)
            case Ask(caller, "clear"):
                return replace(state, is_set=False), (Answer(caller),)
            case Ask(caller, "is_set"):
                return state, (Answer(caller, state.is_set),)
            case Ask(caller, "wait"):
                if state.is_set:
                    return state, (Answer(caller),)
                return replace(state, waiting=(*state.waiting, caller)), ()
            case Withdraw(caller):
                return replace(state, waiting=without(state.waiting, caller)), ()
            case Lost(session):
                return replace(state, waiting=without_session(state.waiting, session)), ()
        raise AssertionError(f"an event was asked for what it does not know: {event}")
