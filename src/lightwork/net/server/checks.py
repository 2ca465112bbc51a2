"""Checks: what a client asks to be kept, judged before the store sees any of it.

Who may submit may write a request by hand: the right types, and values that no task has. Whoever asked hears
that it was his request, and that nothing of it was done; no worker meets it as damage of the store.
"""

from typing import Any

from lightwork.bounds.submitted import check_job, check_schedule
from lightwork.errors import UsageError
from lightwork.net.server.request import Caller
from lightwork.net.wire.failures import Refused


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
