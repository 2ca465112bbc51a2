"""Callables: what can be called, and what a pool must know of it before it runs.

Apart from tasks/, which takes 20 ms to import: a program without tasks has none to ask about.
"""

import sys
from collections.abc import Callable, Iterable
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from lightwork.errors import UsageError

if TYPE_CHECKING:
    from concurrent.futures import Future
    from uuid import UUID

    from lightwork.model import Policy, Progress


# Lists, tuples and dicts among arguments are looked through so many deep.
NESTED: Final = 3
_NESTS: Final = frozenset({list, tuple, dict})
NEVER_NESTED: Final = frozenset({type(None), bool, int, float, str, bytes})


class AnyTask:
    """A function with policy: Task of tasks/, for those who only ask whether something is one."""

    fn: Callable[..., Any]
    policy: "Policy"
    on_progress: "Callable[[Progress], object] | None" = None
    # Of the one job that is to be submitted; None: each has a new one.
    job_id: "UUID | None" = None
    # Its first parameter is the session of the transaction in which its outcome is recorded.
    transaction: bool = False
    # What a call is submitted after: futures, and ids of jobs.
    after: "tuple[Future[Any] | UUID, ...]" = ()
    # "run": also when one of them, or of the futures among its arguments, fails.
    on_failure: str = "fail"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function itself."""
        return self.fn(*args, **kwargs)


def check_callable(fn: object, whose: str) -> None:
    """Refuse what cannot be called, in the same words everywhere; `whose` is what was given it.

    Raises:
        UsageError: It cannot be called.
    """
    if not callable(fn):
        raise UsageError(
            f"{whose} expects a function, and its arguments apart from it; seen: an object of "
            f"{type(fn).__name__}, which cannot be called. Pass the function itself, `fn, 1`, "
            "and not the result of calling it, `fn(1)`"
        )


def find_by_reference(fn: Callable[..., Any]) -> object:
    """Return what `module.qualname` of the function names, or None if it cannot be imported."""
    module, qualname = getattr(fn, "__module__", None), getattr(fn, "__qualname__", "<locals>")
    if module in (None, "__main__") or "<" in qualname:
        return None
    found: object = sys.modules.get(module)
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return found if found is fn or getattr(found, "fn", None) is fn else None


def is_flat(value: Any) -> bool:
    """Whether a tuple or dict of arguments has numbers and texts alone."""
    items = value.values() if type(value) is dict else value
    return NEVER_NESTED.issuperset(map(type, items))


def swapped(value: Any, kinds: tuple[type, ...], swap: Callable[[Any], Any]) -> Any:
    """Return a tuple or dict of arguments with all that is of these kinds replaced.

    Lists, tuples and values of dicts are looked through, NESTED of them inside of each other; those
    in which nothing is replaced stay the same objects.
    """
    if is_flat(value) or not holds(value, kinds):
        return value
    return _swapped(value, kinds, swap, NESTED + 1)


def holds(value: Any, kinds: tuple[type, ...]) -> bool:
    """Return whether anything there is of these kinds: level by level, a million items in 20 ms."""
    level: list[Any] = [value]
    for _ in range(NESTED + 2):
        found = set(map(type, level))
        if found <= NEVER_NESTED:
            return False
        # Their types: an object of the user may claim any class, or raise when asked for it.
        if any(issubclass(kind, kinds) for kind in found):
            return True
        inner = [one.values() if type(one) is dict else one for one in level if type(one) in _NESTS]
        level = list(chain.from_iterable(inner))
    return False


def _swapped(value: Any, kinds: tuple[type, ...], swap: Callable[[Any], Any], depth: int) -> Any:
    kind = type(value)
    if kind not in _NESTS:
        return swap(value) if issubclass(kind, kinds) else value
    if not depth:
        return value
    found = list(value.values()) if kind is dict else value
    swaps = [_swapped(one, kinds, swap, depth - 1) for one in found]
    if all(after is before for after, before in zip(swaps, found, strict=True)):
        return value
    return dict(zip(value, swaps, strict=True)) if kind is dict else kind(swaps)


def parse_job_id(job_id: object) -> "UUID":
    """Return the id that somebody has written.

    Raises:
        UsageError: It is none.
    """
    # 5 ms to import, and most calls are no jobs.
    from uuid import UUID  # noqa: PLC0415 - see above

    if isinstance(job_id, UUID):
        return job_id
    try:
        return UUID(str(job_id))
    except ValueError:
        raise UsageError(f"job_id must be a UUID; seen: {job_id!r:.100}") from None


def parse_after(after: object) -> "tuple[Future[Any] | UUID, ...]":
    """Return what a call is to wait for.

    Raises:
        UsageError: It is no list of futures, or of ids.
    """
    expected = "after expects a list of futures, or of ids of jobs"
    if isinstance(after, str | bytes) or not isinstance(after, Iterable):
        raise UsageError(f"{expected}; seen: {after!r:.100}")
    try:
        # Not asked by class, which would take as long to import.
        return tuple(
            one if hasattr(one, "add_done_callback") else parse_job_id(one) for one in after
        )
    except UsageError as error:
        raise UsageError(f"{expected}; {error}") from None


def parse_on_failure(word: object) -> str:
    """Return what a call does when one that it waits for fails.

    Raises:
        UsageError: There is no such thing.
    """
    if word not in ("fail", "run"):
        raise UsageError(f'on_failure must be "fail" or "run"; seen: {word!r:.100}')
    return str(word)
