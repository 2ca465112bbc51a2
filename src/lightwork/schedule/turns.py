"""Turns: what becomes of a schedule that is due, late or far too late."""

from dataclasses import dataclass
from typing import Final

from lightwork.model import CatchUp
from lightwork.schedule.rules import Every, Rule

# How late a due time may be met without having been missed.
GRACE_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Turn:
    """What becomes of a schedule that is due.

    Attributes:
        due: Due times for which there is to be a job, oldest first.
        next_at: When it is due next, which is not in the past unless more is to be caught up.
        skipped: Due times for which there is to be none: the first, and before which the last is;
            None: there are none.
    """

    due: tuple[int, ...]
    next_at: int | None
    skipped: tuple[int, int] | None = None


def take_turn(rule: Rule, next_at: int, now: int, *, catch_up: CatchUp, most: int) -> Turn:
    """Return what is to be done about a schedule that may be due.

    Args:
        rule: Its times.
        next_at: The first of them that nobody has met.
        now: The present.
        catch_up: What becomes of those before the latest.
        most: For how many at once there may be jobs; the rest is for the next turn.
    """
    if next_at > now:
        return Turn((), next_at)
    if catch_up is CatchUp.ALL:
        due = [next_at]
        while (at := rule.next_after(due[-1], next_at)) is not None and at <= now:
            if len(due) == most:
                return Turn(tuple(due), at)
            due.append(at)
        return Turn(tuple(due), at)
    latest, following = _latest(rule, next_at, now)
    if catch_up is CatchUp.NONE and now - latest > GRACE_MS:
        return Turn((), following, (next_at, latest + 1))
    return Turn((latest,), following, (next_at, latest) if latest > next_at else None)


def count_times(rule: Rule, first: int, before: int, *, most: int) -> tuple[int, bool]:
    """Return how many due times there are from the first on, and whether these are all.

    Those of cron are counted up to `most`: each is looked for, which takes a tenth of a millisecond.
    """
    if isinstance(rule, Every):
        return (before - 1 - first) // rule.milliseconds + 1, True
    count, at = 0, rule.next_after(first - 1, first)
    while at is not None and at < before:
        if count == most:
            return count, False
        count, at = count + 1, rule.next_after(at, first)
    return count, True


def coming(rule: Rule, next_at: int | None, count: int) -> list[int]:
    """Return due times from the next on, so many if there are."""
    times: list[int] = []
    while next_at is not None and len(times) < count:
        times.append(next_at)
        next_at = rule.next_after(next_at, next_at)
    return times


def _latest(rule: Rule, next_at: int, now: int) -> tuple[int, int | None]:
    """Return the last due time that is not after now, and the one that follows."""
    following = rule.next_after(next_at, next_at)
    if following is None or following > now:
        return next_at, following
    # Not one by one: of a year of seconds there are 31 million. Of two instants the later one
    # has the later next time.
    low, high = next_at, now
    while high - low > 1:
        middle = (low + high) // 2
        at = rule.next_after(middle, next_at)
        low, high = (low, middle) if at is None or at > now else (middle, high)
    latest = rule.next_after(low, next_at)
    assert latest is not None, "of the lower end of the search there is always one"
    return latest, rule.next_after(latest, next_at)
