"""Submitted: jobs and schedules as somebody sends them, judged as where a task is declared. Pure.

Executors make their policies with `make_policy`, so what they send is in order. Bytes from a network may say
anything that has the right types: kept, it would be damage that the store's own worker has to find.
"""

import functools

from lightwork.bounds.keys import check_filled
from lightwork.bounds.parsing import (
    check_limit,
    check_unique,
    parse_headers,
    parse_limits,
    parse_tags,
    parse_unique,
)
from lightwork.errors import UsageError
from lightwork.model import Limit, NewJob, NewSchedule, Policy, Unique, UniqueKey
from lightwork.tasks.names import LONGEST_NAME, is_odd
from lightwork.tasks.task import check_policy

KEY_BYTES = 16


def check_job(new: NewJob) -> None:
    """Refuse a job that no executor makes.

    Raises:
        UsageError: A value of its policy, or of its keys, makes no sense.
    """
    check_task_name(new.task)
    _check_policy(new.policy)
    _check_keys(new.unique, new.limits)


def check_schedule(new: NewSchedule) -> None:
    """Refuse a schedule whose jobs no executor makes; when they are due, the store judges.

    Raises:
        UsageError: A value of its policy, or of its keys, makes no sense.
    """
    check_task_name(new.task)
    _check_policy(new.policy)
    _check_keys(new.unique, new.limits)


def check_task_name(name: str) -> None:
    """Refuse what can be the name of no task.

    Raises:
        UsageError: It is empty, too long for a store, or has control characters, half a character, or a space at an end.
    """
    if not 0 < len(name) <= LONGEST_NAME or is_odd(name):
        raise UsageError(
            f"the name of a task is text of 1 to {LONGEST_NAME} characters, none of them for control, no space at an end, module:function; "
            f"seen: {len(name)} characters, {name!r:.100}"
        )


# Of a thousand jobs nearly all have one policy; to look at all of it takes 8 us.
@functools.lru_cache(1024)
def _check_policy(policy: Policy) -> None:
    check_policy(policy)
    if policy.at is not None and policy.delay:
        raise UsageError(f"say delay or at, not both; seen: {policy.delay} and {policy.at}")
    parse_unique(policy.unique)
    parse_limits(policy.limit)
    if parse_tags(policy.tags) != policy.tags:
        raise UsageError(f"each tag is said once; seen: {policy.tags!r:.300}")
    if parse_headers(dict(policy.headers)) != policy.headers:
        raise UsageError(f"each header is said once; seen: {policy.headers!r:.300}")


def _check_keys(unique: UniqueKey | None, limits: tuple[Limit, ...]) -> None:
    if unique is not None:
        if len(unique.key) != KEY_BYTES:
            raise UsageError(f"a unique key has {KEY_BYTES} bytes; seen: {len(unique.key)}")
        # A word that is none is what this is about.
        until: object = unique.until
        check_unique(Unique("", until=until, period=unique.period, on_conflict=unique.on_conflict))  # type: ignore[arg-type]
    for limit in limits:
        check_limit(limit)
    check_filled(limits)
