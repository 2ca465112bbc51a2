"""Keys: the templates of a task's bounds, filled with the arguments of a call. Pure."""

import dataclasses
import functools
import hashlib
import inspect
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from lightwork.errors import UsageError
from lightwork.model import Limit, Unique, UniqueKey
from lightwork.tasks.task import Task

# All keys of a job are one column.
_LONGEST_KEY: Final = 300


class Digest(Protocol):
    """Tells calls of other arguments apart; see codec/payload.py."""

    def __call__(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], *, fn: Callable[..., Any]
    ) -> bytes:
        """Return the same bytes for equal arguments."""


def unique_key(
    task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], *, digest: Digest
) -> UniqueKey | None:
    """Return the unique key of a call; None: its task has none.

    Raises:
        UsageError: The template names what is no argument.
    """
    unique = task.policy.unique
    if unique is None:
        return None
    if unique.key:
        return hashed_key(task.name, filled(unique.key, task, args, kwargs), unique)
    # By whatever names they were given, and left out or not.
    bound = _bound(task, args, kwargs)
    return hashed_key(task.name, "", unique, digest(bound.args, bound.kwargs, fn=task.called))


def hashed_key(task: str, key: str, unique: Unique, arguments: bytes = b"") -> UniqueKey:
    """Return the unique key of a task, by the task's name and a key that is filled."""
    text = f"{task}\0{key}\0".encode("utf-8", "surrogatepass") + arguments
    hashed = hashlib.sha256(text).digest()[:16]
    return UniqueKey(hashed, unique.until, unique.period, unique.on_conflict)


def filled_limits(
    task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Limit, ...]:
    """Return the limits of a call, with keys that are filled.

    Raises:
        UsageError: A key cannot be filled, or not with this.
    """
    if not task.policy.limit:
        return ()
    found = tuple(
        dataclasses.replace(limit, key=filled(limit.key, task, args, kwargs))
        for limit in task.policy.limit
    )
    check_filled(found)
    return found


def check_filled(limits: Sequence[Limit]) -> None:
    """Refuse keys of limits, as they are filled for one job, that no store can tell apart.

    Raises:
        UsageError: One is no text that all databases keep, or two limits have the same.
    """
    for limit in limits:
        # MariaDB takes no notice of spaces at the end, PostgreSQL keeps no NUL.
        is_fit = limit.key.isprintable() and limit.key == limit.key.strip()
        if not 0 < len(limit.key) <= _LONGEST_KEY or not is_fit:
            raise UsageError(
                f"the key of a limit is printable text of 1 to {_LONGEST_KEY} characters, with no "
                f"spaces at its ends; seen: {limit.key!r:.400}"
            )
    if len({limit.key for limit in limits}) < len(limits):
        raise UsageError(f"two limits of one job have one key: {limits[0].key!r:.300}")


def filled(
    template: str, task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> str:
    """Return the template of a key with the arguments of a call, by their names.

    Raises:
        UsageError: It names what is no argument.
    """
    if "{" not in template:
        return template
    try:
        return template.format_map(_bound(task, args, kwargs).arguments)
    except (LookupError, AttributeError, TypeError, ValueError) as error:
        names = ", ".join(signature(task.called).parameters)
        raise UsageError(
            f"the key {template!r} of {task.name} cannot be filled: {error!r}; "
            f"expected arguments by their names, of {names}"
        ) from error


def _bound(
    task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> inspect.BoundArguments:
    try:
        bound = signature(task.called).bind(*args, **kwargs)
    except TypeError as error:
        raise UsageError(f"{task.name} cannot be called so: {error}") from error
    bound.apply_defaults()
    return bound


@functools.lru_cache(maxsize=1024)
def signature(fn: Callable[..., Any]) -> inspect.Signature:
    """Return what a function takes."""
    return inspect.signature(fn)
