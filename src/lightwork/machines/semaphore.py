"""Semaphore: a number of grants, given in the order of asking; the machine of Semaphore and BoundedSemaphore.

Anybody may release, as with `threading`: one process may count up what another waits for. So
a grant is kept under the session that has it only for the day when that session is lost, and whoever
releases gives back one of its own, or if it has none the oldest of another.
"""

from dataclasses import dataclass, replace
from typing import Final

from lightwork.machines.callers import Callers, without, without_session
from lightwork.machines.shapes import Answer, Ask, Caller, Cells, Event, Lost, Plain, Withdraw

RELEASED_TOO_OFTEN: Final = "released too often"


@dataclass(frozen=True, slots=True)
class SemaphoreState:
    """How many are free, who has the others, and who waits.

    Attributes:
        value: How many may be had now.
        bound: How many there are; None: whoever releases without having one makes one more.
        held: Sessions with how many they have, the oldest first.
        token: Of the last grant; it only grows.
        waiting: First come, first served; none while `value` is more than 0.
    """

    value: int = 1
    bound: int | None = None
    held: tuple[tuple[bytes, int], ...] = ()
    token: int = 0
    waiting: Callers = ()


class SemaphoreMachine:
    """Acquire and try (answer: the token), release (how many), value."""

    kind = "semaphore"

    def begin(self, spec: tuple[Plain, ...]) -> SemaphoreState:
        """Return one of which none is had; `spec` is (value, is_bounded)."""
        value, is_bounded = spec
        assert isinstance(value, int)
        return SemaphoreState(value=value, bound=value if is_bounded else None)

    def step(
        self, state: SemaphoreState, _cells: Cells, event: Event
    ) -> tuple[SemaphoreState, tuple[Answer, ...]]:
        """Return the state after an event, and whom it answers."""
        match event:
            case Ask(caller, "acquire" | "try") if state.value:
                return _grant(state, caller)
            case Ask(caller, "acquire"):
                return replace(state, waiting=(*state.waiting, caller)), ()
            case Ask(caller, "try"):
                return state, (Answer(caller),)
            case Ask(caller, "release", (int(count),)):
                return _release(state, caller, count)
            case Ask(caller, "value"):
                return state, (Answer(caller, state.value),)
            case Withdraw(caller):
                return replace(state, waiting=without(state.waiting, caller)), ()
            case Lost(session):
                return _lose(state, session)
        raise AssertionError(f"a semaphore was asked for what it does not know: {event}")


def _release(
    state: SemaphoreState, caller: Caller, count: int
) -> tuple[SemaphoreState, tuple[Answer, ...]]:
    if state.bound is not None and state.value + count > state.bound:
        return state, (Answer(caller, refused=RELEASED_TOO_OFTEN),)
    held = _given_back(state.held, caller.session, count)
    after, answers = _serve(replace(state, value=state.value + count, held=held))
    return after, (Answer(caller), *answers)


def _given_back(
    held: tuple[tuple[bytes, int], ...], session: bytes, count: int
) -> tuple[tuple[bytes, int], ...]:
    """Return who has how many less these; the session's own come first."""
    left = dict(held)
    for holder in (session, *left):
        given = min(count, left.get(holder, 0))
        if given:
            left[holder] -= given
            count -= given
    return tuple((holder, has) for holder, has in left.items() if has)


def _lose(state: SemaphoreState, session: bytes) -> tuple[SemaphoreState, tuple[Answer, ...]]:
    held = dict(state.held)
    value = state.value + held.pop(session, 0)
    waiting = without_session(state.waiting, session)
    return _serve(replace(state, value=value, held=tuple(held.items()), waiting=waiting))


def _serve(state: SemaphoreState) -> tuple[SemaphoreState, tuple[Answer, ...]]:
    """Give what is free to those who wait longest."""
    answers: list[Answer] = []
    while state.value and state.waiting:
        first, *others = state.waiting
        state, granted = _grant(replace(state, waiting=tuple(others)), first)
        answers += granted
    return state, tuple(answers)


def _grant(state: SemaphoreState, caller: Caller) -> tuple[SemaphoreState, tuple[Answer, ...]]:
    held = dict(state.held)
    held[caller.session] = held.get(caller.session, 0) + 1
    after = replace(state, value=state.value - 1, held=tuple(held.items()), token=state.token + 1)
    return after, (Answer(caller, after.token),)
