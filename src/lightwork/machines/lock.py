"""Lock: one caller at a time, in the order of asking; the machine of Lock and RLock.

Each grant has a token that only grows: a resource that remembers the highest token which it has
seen can refuse whoever held the lock before and does not know that it lost it.
"""

from dataclasses import dataclass, replace
from typing import Final

from lightwork.machines.callers import Callers, without, without_session
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
    waiting: Callers = ()


class LockMachine:
    """Acquire, try, release, release_grant (this one, if it is there still), break, locked, count (how often the caller may release it)."""

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
            case Ask(caller, "release_grant", (token,)):
                return _release_grant(state, caller, token)
            case Ask(caller, "break"):
                return _break(state, caller)
            case Ask(caller, "locked"):
                return state, (Answer(caller, state.holder is not None),)
            case Ask(caller, "count"):
                count = state.count if _may_release(state, caller) else 0
                return state, (Answer(caller, count),)
            case Withdraw(caller):
                return replace(state, waiting=without(state.waiting, caller)), ()
            case Lost(session):
                return _lose(state, session)
        raise AssertionError(f"a lock was asked for what it does not know: {event}")


def _acquire(
    state: LockState, caller: Caller, *, may_wait: bool
) -> tuple[LockState, tuple[Answer, ...]]:
    if state.holder is None:
        # Nobody waits for what is free.
        return _grant(state, caller, waiting=(), is_inherited=state.is_inherited)
    if state.is_reentrant and state.holder == caller:
        return replace(state, count=state.count + 1), (Answer(caller, (state.token, False)),)
    if may_wait:
        return replace(state, waiting=(*state.waiting, caller)), ()
    return state, (Answer(caller),)


def _release(state: LockState, caller: Caller) -> tuple[LockState, tuple[Answer, ...]]:
    if state.holder is None:
        return state, (Answer(caller, refused=NOT_HELD),)
    if not _may_release(state, caller):
        return state, (Answer(caller, refused=HELD_BY_ANOTHER),)
    if state.count > 1:
        return replace(state, count=state.count - 1), (Answer(caller),)
    after, answers = _pass_on(state, is_inherited=False)
    return after, (Answer(caller), *answers)


def _release_grant(
    state: LockState, caller: Caller, token: Plain
) -> tuple[LockState, tuple[Answer, ...]]:
    """Let go of a grant whose release was perhaps never asked for, unless it is over, or taken more than once."""
    if (state.token, state.count) != (token, 1) or not _may_release(state, caller):
        return state, (Answer(caller, False),)
    after, answers = _pass_on(state, is_inherited=False)
    return after, (Answer(caller, True), *answers)


def _break(state: LockState, caller: Caller) -> tuple[LockState, tuple[Answer, ...]]:
    """Take it from its holder, who is not told, as from one that was lost."""
    if state.holder is None:
        return state, (Answer(caller, False),)
    after, answers = _pass_on(state, is_inherited=True)
    return after, (Answer(caller, True), *answers)


def _may_release(state: LockState, caller: Caller) -> bool:
    """Whether it is the caller's: as in `threading` any thread of a session lets go, but only its own of an RLock."""
    if state.holder is None or state.is_reentrant:
        return state.holder == caller
    return state.holder.session == caller.session


def _lose(state: LockState, session: bytes) -> tuple[LockState, tuple[Answer, ...]]:
    left = replace(state, waiting=without_session(state.waiting, session))
    if left.holder is None or left.holder.session != session:
        return left, ()
    return _pass_on(left, is_inherited=True)


def _pass_on(state: LockState, *, is_inherited: bool) -> tuple[LockState, tuple[Answer, ...]]:
    """Hand it to whoever waits longest, or leave it free."""
    if not state.waiting:
        return replace(state, holder=None, count=0, is_inherited=is_inherited), ()
    first, *others = state.waiting
    return _grant(state, first, waiting=tuple(others), is_inherited=is_inherited)


def _grant(
    state: LockState, caller: Caller, *, waiting: Callers, is_inherited: bool
) -> tuple[LockState, tuple[Answer, ...]]:
    """Give it; the answer is the token, and whether the last holder was lost with it."""
    token = state.token + 1
    after = LockState(state.is_reentrant, caller, 1, token, waiting=waiting)
    return after, (Answer(caller, (token, is_inherited)),)
