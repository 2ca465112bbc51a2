"""Lock: one caller at a time, in the order of asking; the machine of Lock and RLock.

Each grant has a token that only grows: a resource that remembers the highest token which it has
seen can refuse whoever held the lock before and does not know that it lost it.
"""

from dataclasses import dataclass, replace
from typing import Final

from lightwork.machines.shapes import Answer, Ask, Caller, Cells, Event, Lost, Plain, Withdraw

NOT_HELD: Final = "not held"
HELD_BY_ANOTHER: Final = "held by another"


@dataclass(frozen=True, slots=True)
class LockState:
    """Who holds it, and who waits.

    Attributes:
        is_reentrant: Its holder may ask again.
        holder: None: it is free.
        count: How often the holder has it.
        token: Of the last grant.
        is_inherited: The last holder was lost with it: what it guards may be half done.
        waiting: First come, first served.
    """

    is_reentrant: bool = False
    holder: Caller | None = None
    count: int = 0
    token: int = 0
    is_inherited: bool = False
    waiting: tuple[Caller, ...] = ()


class LockMachine:
    """Acquire, try, release, break, locked."""

    kind = "lock"

    def begin(self, spec: tuple[Plain, ...]) -> LockState:
        """Return a free one; `spec` is (is_reentrant,)."""
        return LockState(is_reentrant=bool(spec[0]))

    def step(
        self, state: LockState, _cells: Cells, event: Event
    ) -> tuple[LockState, tuple[Answer, ...]]:
        """Return the state after an event, and whom it answers."""
        match event:
            case Ask(caller, "acquire" | "try" as verb):
                return _acquire(state, caller, may_wait=verb == "acquire")
            case Ask(caller, "release"):
                return _release(state, caller)
            case Ask(caller, "break"):
                after, answers = _pass_on(replace(state, is_inherited=True))
                return after, (*answers, Answer(caller, state.holder is not None))
            case Ask(caller, "locked"):
                return state, (Answer(caller, state.holder is not None),)
            case Withdraw(caller):
                return replace(state, waiting=_without(state.waiting, caller)), ()
            case Lost(session):
                return _lose(state, session)
        raise AssertionError(f"a lock was asked for what it does not know: {event}")


def _acquire(
    state: LockState, caller: Caller, *, may_wait: bool
) -> tuple[LockState, tuple[Answer, ...]]:
    if state.holder is None:
        return _grant(state, caller)
    if state.is_reentrant and state.holder == caller:
        return replace(state, count=state.count + 1), (Answer(caller, (state.token, False)),)
    if may_wait:
        return replace(state, waiting=(*state.waiting, caller)), ()
    return state, (Answer(caller),)


def _release(state: LockState, caller: Caller) -> tuple[LockState, tuple[Answer, ...]]:
    """Take it back from any thread of the session that holds it, as `threading` does; an RLock from its thread."""
    if state.holder is None:
        return state, (Answer(caller, refused=NOT_HELD),)
    is_its = (
        state.holder == caller if state.is_reentrant else state.holder.session == caller.session
    )
    if not is_its:
        return state, (Answer(caller, refused=HELD_BY_ANOTHER),)
    if state.count > 1:
        return replace(state, count=state.count - 1), (Answer(caller),)
    after, answers = _pass_on(replace(state, is_inherited=False))
    return after, (Answer(caller), *answers)


def _lose(state: LockState, session: bytes) -> tuple[LockState, tuple[Answer, ...]]:
    left = replace(state, waiting=tuple(c for c in state.waiting if c.session != session))
    if left.holder is None or left.holder.session != session:
        return left, ()
    return _pass_on(replace(left, is_inherited=True))


def _pass_on(state: LockState) -> tuple[LockState, tuple[Answer, ...]]:
    """Hand it to whoever waits longest, or leave it free."""
    if state.holder is None:
        return state, ()
    free = replace(state, holder=None, count=0)
    if not free.waiting:
        return free, ()
    first, *others = free.waiting
    return _grant(replace(free, waiting=tuple(others)), first)


def _grant(state: LockState, caller: Caller) -> tuple[LockState, tuple[Answer, ...]]:
    """Give it; the answer is the token, and whether the last holder was lost with it."""
    after = replace(state, holder=caller, count=1, token=state.token + 1, is_inherited=False)
    return after, (Answer(caller, (after.token, state.is_inherited)),)


def _without(callers: tuple[Caller, ...], caller: Caller) -> tuple[Caller, ...]:
    return tuple(other for other in callers if other != caller)
