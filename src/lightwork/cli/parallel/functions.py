"""Functions: from MODULE:FUNCTION to what it names, seen from this folder."""

from collections.abc import Callable
from typing import Any

from lightwork.model import Policy
from lightwork.tasks import Task, make_policy


def with_policy(
    fn: Callable[..., Any], *, timeout: float, retries: int | None = None
) -> Callable[..., Any]:
    """Return the function under what the command line says; else (0, None) as it is."""
    changes: dict[str, Any] = {"timeout": timeout} if timeout else {}
    if retries is not None:
        changes["retries"] = retries
    if not changes:
        return fn
    return (
        fn.options(**changes)
        if isinstance(fn, Task)
        else Task(fn, make_policy(Policy(), **changes))
    )
