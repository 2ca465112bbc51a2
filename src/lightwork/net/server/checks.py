"""Checks: what a client asks to be kept, judged before the store sees any of it.

Who may submit may write a request by hand: the right types, and values that no task has. Whoever asked hears
that it was his request, and that nothing of it was done; no worker meets it as damage of the store.
"""

from typing import Any, Final

from lightwork.bounds.submitted import check_job, check_schedule
from lightwork.errors import UsageError
from lightwork.net.server.request import Caller
from lightwork.net.wire.about import MOST_POLLED, Poll
from lightwork.net.wire.failures import Refused
from lightwork.tasks.names import is_odd

# The roles of keys that polls of workers may come with.
WORKING: Final = frozenset({"work", "admin"})
_LONGEST_NAME: Final = 100


def check_asked(name: str, given: Any, caller: Caller) -> None:
    """Refuse a call of a method of the store that would keep what nobody can run.

    Args:
        name: Of the method.
        given: Its decoded request.
        caller: Who asks.

    Raises:
        UsageError: One of the jobs, or schedules, makes no sense.
        Refused: It would take a lock from somebody, and the key is not for that.
    """
    if name == "ask_primitive":
        _check_verb(given.verb, caller)
    elif name == "submit":
        for job in given.jobs:
            try:
                check_job(job)
            except UsageError as error:
                raise _refused(f"job {job.id}", job.task, caller, error) from error
    elif name == "declare_schedules":
        for new in given.schedules:
            try:
                check_schedule(new)
            except UsageError as error:
                raise _refused(f"schedule {new.name!r:.100}", new.task, caller, error) from error


def _check_verb(verb: str, caller: Caller) -> None:
    """Refuse what uses nothing, but takes from others what they hold."""
    if verb == "break" and caller.role != "admin":
        text = f"a key of role {caller.role} may not take a lock from whoever holds it"
        raise Refused(403, "AuthError", text)


def _refused(what: str, task: str, caller: Caller, error: UsageError) -> UsageError:
    who = (
        f"the holder of {caller.role}.{caller.name}" if caller.name else "a program of this machine"
    )
    return UsageError(
        f"{who} has asked to keep {what} of task {task!r:.100}, which makes no sense: {error}; "
        "nothing of this request was done"
    )


def check_poll(poll: Poll, caller: Caller) -> None:
    """Refuse what would cost others: each queue of a poll is looked at, for all who wait, at each change.

    Raises:
        Refused: See there.
    """
    if poll.queues and caller.role not in WORKING:
        text = f"a key of role {caller.role} does not poll as workers do"
        raise Refused(403, "AuthError", text)
    lists = {"queues": len(poll.queues), "workers": len(poll.workers)}
    for name, count in lists.items():
        if count > MOST_POLLED:
            text = f"a poll names up to {MOST_POLLED} {name}; seen: {count}"
            raise Refused(422, "UsageError", text)
    if odd := [name for name in poll.queues if not 0 < len(name) <= _LONGEST_NAME or is_odd(name)]:
        raise Refused(422, "UsageError", f"{odd[0]!r:.200} is no name of a queue")
    if not poll.wait >= 0:
        raise Refused(422, "UsageError", f"wait is a number of seconds; seen: {poll.wait}")
    if poll.lease and not 0.5 <= poll.lease <= 3600:
        text = f"lease must be from 0.5 to 3600 seconds; seen: {poll.lease}"
        raise Refused(422, "UsageError", text)
