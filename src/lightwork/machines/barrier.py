"""Barrier: callers wait until so many are there, then all go on, and the next round begins.

Whoever comes last may act first, while the others of its round still wait. One who goes away without having
passed (time-out, death, abort) breaks it for all, until it is reset: a round that can never be full
must hold up nobody.

    filling ──the last one──▶ (acting) ──pass──▶ filling, a round later
       └────────away───┬──────────┘
                       ▼
                    broken ──reset──▶ filling
"""

from dataclasses import dataclass, replace
from typing import Final

from lightwork.machines.callers import Callers
from lightwork.machines.shapes import Answer, Ask, Caller, Cells, Event, Lost, Plain, Withdraw

BROKEN: Final = "broken"


@dataclass(frozen=True, slots=True)
class BarrierState:
    """Who is there.

    Attributes:
        parties: How many make a round.
        waiting: In the order of coming. While somebody acts, the first of them, less one, are of its round.
        acting: The last of a round, who was answered and has not passed.
        would_act: Of those who wait, who acts if it is the last.
        is_broken: All are refused.
    """

    parties: int
    waiting: Callers = ()
    acting: Caller | None = None
    would_act: Callers = ()
    is_broken: bool = False


class BarrierMachine:
    """Wait (acts: bool; answer: the place in the round), pass (after acting), abort, reset, state.

    The last one's place is parties - 1. If it acts, it is answered alone, and the others when it asks to pass.
    State answers (parties, how many wait, is_broken).
    """

    kind = "barrier"

    def begin(self, spec: tuple[Plain, ...]) -> BarrierState:
        """Return an empty one; `spec` is (parties,)."""
        (parties,) = spec
        assert isinstance(parties, int)
        return BarrierState(parties)

    def step(
        self, state: BarrierState, _cells: Cells, event: Event
    ) -> tuple[BarrierState, tuple[Answer, ...]]:
        """Return the state after an event, and whom it answers."""
        match event:
            case Ask(caller, "wait", args):
                return _wait(state, caller, acts=args == (True,))
            case Ask(caller, "pass"):
                return _pass(state, caller)
            case Ask(caller, "abort" | "reset" as verb):
                after, refused = _break(state)
                after = replace(after, is_broken=verb == "abort")
                return after, (Answer(caller), *refused)
            case Ask(caller, "state"):
                # As in `threading`, those who only wait for the action wait no more.
                count = 0 if state.acting else len(state.waiting)
                return state, (Answer(caller, (state.parties, count, state.is_broken)),)
            case Withdraw(caller):
                return _break(state) if caller in state.waiting else (state, ())
            case Lost(session):
                return _lose(state, session)
        raise AssertionError(f"a barrier was asked for what it does not know: {event}")


def _wait(
    state: BarrierState, caller: Caller, *, acts: bool
) -> tuple[BarrierState, tuple[Answer, ...]]:
    if state.is_broken:
        return state, (Answer(caller, refused=BROKEN),)
    would_act = (*state.would_act, caller) if acts else state.would_act
    return _fill(replace(state, waiting=(*state.waiting, caller), would_act=would_act))


def _fill(state: BarrierState) -> tuple[BarrierState, tuple[Answer, ...]]:
    """Begin and end the rounds for which all are there."""
    answers: list[Answer] = []
    while state.acting is None and len(state.waiting) >= state.parties:
        last = state.waiting[state.parties - 1]
        answers.append(Answer(last, state.parties - 1))
        rest = replace(state, waiting=tuple(one for one in state.waiting if one != last))
        if last in state.would_act:
            return replace(rest, acting=last), tuple(answers)
        state, passed = _end_round(rest)
        answers += passed
    return state, tuple(answers)


def _end_round(state: BarrierState) -> tuple[BarrierState, tuple[Answer, ...]]:
    """Let those go on who came before the last one."""
    going, staying = state.waiting[: state.parties - 1], state.waiting[state.parties - 1 :]
    would_act = tuple(one for one in state.would_act if one in staying)
    after = replace(state, waiting=staying, would_act=would_act, acting=None)
    return after, tuple(Answer(one, place) for place, one in enumerate(going))


def _pass(state: BarrierState, caller: Caller) -> tuple[BarrierState, tuple[Answer, ...]]:
    if state.acting != caller:
        return state, (Answer(caller, refused=BROKEN),)
    after, passed = _end_round(state)
    after, filled = _fill(after)
    return after, (Answer(caller), *passed, *filled)


def _lose(state: BarrierState, session: bytes) -> tuple[BarrierState, tuple[Answer, ...]]:
    inside = (*state.waiting, *((state.acting,) if state.acting else ()))
    if all(one.session != session for one in inside):
        return state, ()
    after, refused = _break(state)
    return after, tuple(answer for answer in refused if answer.caller.session != session)


def _break(state: BarrierState) -> tuple[BarrierState, tuple[Answer, ...]]:
    """Refuse all who wait; whoever acts hears it when it wants to pass."""
    refused = tuple(Answer(one, refused=BROKEN) for one in state.waiting)
    return BarrierState(state.parties, is_broken=True), refused
