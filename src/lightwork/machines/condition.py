"""Condition: callers who wait until they are notified; it knows no lock, so any will do.

Who waits *enlists* while it has the lock, then lets go of it, then waits with its ticket. So what is notified in
between finds it on the list: no wake-up is lost. A wake-up of somebody who has gone before taking it goes
to the next one.

    enlisted ──wait──▶ parked ──notify──▶ (answered)
        └────notify──▶ notified ──wait──▶ (answered)
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from lightwork.machines.shapes import Answer, Ask, Caller, Cells, Event, Lost, Plain, Withdraw

NOT_ENLISTED: Final = "not enlisted"


class Phase(StrEnum):
    """How far an enlisted caller has come."""

    ENLISTED = "enlisted"
    PARKED = "parked"
    NOTIFIED = "notified"


@dataclass(frozen=True, slots=True)
class Enlisted:
    """One who waits, or is about to."""

    ticket: int
    caller: Caller
    phase: Phase = Phase.ENLISTED


@dataclass(frozen=True, slots=True)
class ConditionState:
    """The list.

    Attributes:
        ticket: The last that was given.
        line: In the order of enlisting.
    """

    ticket: int = 0
    line: tuple[Enlisted, ...] = ()


class ConditionMachine:
    """Enlist (answer: a ticket), wait and leave (with it), notify (how many; answer: how many were), notify_all."""

    kind = "condition"

    def begin(self, _spec: tuple[Plain, ...]) -> ConditionState:
        """Return one for which nobody waits."""
        return ConditionState()

    def step(
        self, state: ConditionState, _cells: Cells, event: Event
    ) -> tuple[ConditionState, tuple[Answer, ...]]:
        """Return the state after an event, and whom it answers."""
        match event:
            case Ask(caller, "enlist"):
                one = Enlisted(state.ticket + 1, caller)
                after = ConditionState(one.ticket, (*state.line, one))
                return after, (Answer(caller, one.ticket),)
            case Ask(caller, "wait", (int(ticket),)):
                return _wait(state, caller, ticket)
            case Ask(caller, "leave", (int(ticket),)):
                gone = [one for one in state.line if one.ticket == ticket]
                after, answers = _leave(state, gone)
                return after, (Answer(caller), *answers)
            case Ask(caller, "notify", (int(count),)):
                after, count, answers = _notify(state, count)
                return after, (Answer(caller, count), *answers)
            case Ask(caller, "notify_all"):
                after, count, answers = _notify(state, len(state.line))
                return after, (Answer(caller, count), *answers)
            case Withdraw(caller):
                return _leave(
                    state,
                    [
                        one
                        for one in state.line
                        if one.caller == caller and one.phase == Phase.PARKED
                    ],
                )
            case Lost(session):
                return _leave(state, [one for one in state.line if one.caller.session == session])
        raise AssertionError(f"a condition was asked for what it does not know: {event}")


def _wait(
    state: ConditionState, caller: Caller, ticket: int
) -> tuple[ConditionState, tuple[Answer, ...]]:
    one = next((one for one in state.line if one.ticket == ticket), None)
    if one is None:
        return state, (Answer(caller, refused=NOT_ENLISTED),)
    if one.phase == Phase.NOTIFIED:
        return _without(state, [one]), (Answer(caller),)
    return _placed(state, [one], Phase.PARKED), ()


def _leave(
    state: ConditionState, gone: list[Enlisted]
) -> tuple[ConditionState, tuple[Answer, ...]]:
    """Strike them off; what they were notified of and never took goes to others."""
    unused = sum(one.phase == Phase.NOTIFIED for one in gone)
    after, _, answers = _notify(_without(state, gone), unused)
    return after, answers


def _notify(state: ConditionState, count: int) -> tuple[ConditionState, int, tuple[Answer, ...]]:
    """Wake so many of those who were not yet; return how many there were, too."""
    woken = [one for one in state.line if one.phase != Phase.NOTIFIED][: max(count, 0)]
    parked = [one for one in woken if one.phase == Phase.PARKED]
    after = _placed(_without(state, parked), woken, Phase.NOTIFIED)
    return after, len(woken), tuple(Answer(one.caller) for one in parked)


def _without(state: ConditionState, gone: list[Enlisted]) -> ConditionState:
    return replace(state, line=tuple(one for one in state.line if one not in gone))


def _placed(state: ConditionState, ones: list[Enlisted], phase: Phase) -> ConditionState:
    line = tuple(replace(one, phase=phase) if one in ones else one for one in state.line)
    return replace(state, line=line)
