"""Task: a registered function with policy, and nothing else.

`@task` wraps a function so that calling it still calls the function, types and
all; what it adds is the policy under which executors run it and the name under
which a store knows it. Owns no registry: a worker finds tasks by looking at
modules it was told to import (work/resolve.py), never the other way round.

A task travels to a child process by reference when its module can be imported
there, and by value (with cloudpickle) when it lives in `__main__`.

Names. `module:function`, and for a task of `__main__` also where it comes from:
`script:square@/home/ada/script.py`, or `__main__:square@session-4f0c...` where there
is no file (a REPL, a notebook, `-c`). Two scripts of one name, or two sessions, on
one store are two programs: neither may answer for the other. People see and type
`script:square`. What was started with `python -m package.module` is named like any
module: that is how everybody else can import it.
"""

import dataclasses
import functools
import hashlib
import re
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Generic, ParamSpec, TypedDict, TypeVar, Unpack, overload

from lightwork.errors import UsageError
from lightwork.model import Backoff, Policy, Progress
from lightwork.near import did_you_mean
from lightwork.numeric import as_int, as_number

P = ParamSpec("P")
R = TypeVar("R")

# The second is what `spawn` calls the main script in its children.
_MAIN: Final = ("__main__", "__mp_main__")
_SESSION_WORD: Final = "session-"
_SESSION: Final = _SESSION_WORD + uuid.uuid4().hex[:16]
# What a store keeps.
LONGEST_NAME: Final = 500
_INTEGERS: Final = frozenset({"priority", "retries", "max_crashes"})
_SECONDS: Final = frozenset({"timeout", "delay"})
# Bytes: more than fits into the integers of databases.
_TOO_LARGE: Final = 2**63
_UNITS: Final = {"": 1, "B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


class PolicyOptions(TypedDict, total=False):
    """What `@task(...)` and `task.options(...)` accept; see model.Policy for meanings.

    `backoff` may be a number: the base delay in seconds. `retry_on` holds
    exception classes or their qualified names. `max_memory` may be text such as
    "512M".
    """

    queue: str
    priority: int
    retries: int
    backoff: Backoff | float
    retry_on: tuple[type[BaseException] | str, ...]
    timeout: float
    max_memory: int | str
    max_crashes: int
    idempotent: bool
    delay: float


class TaskOptions(PolicyOptions, total=False):
    """The same, and what holds only in the program that says it.

    `on_progress` is called with each Progress that a call reports, in whatever thread hears of
    it; it does not travel with the task, and a store does not keep it.
    """

    on_progress: Callable[[Progress], object] | None


class Task(Generic[P, R]):
    """A function with policy; calls like the function."""

    on_progress: Callable[[Progress], object] | None = None

    def __init__(self, fn: Callable[P, R], policy: Policy | None = None, name: str = "") -> None:
        check_callable(fn, "@task")
        # First, because it copies the function's attributes over ours.
        functools.update_wrapper(self, fn)
        self.fn = fn
        self.policy = policy or Policy()
        # Given where the function has travelled: there `__main__` is another.
        self.name = name or task_name(fn)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function itself, here and now."""
        return self.fn(*args, **kwargs)

    def options(self, **changes: Unpack[TaskOptions]) -> "Task[P, R]":
        """Return a copy with other policy; the original is unchanged.

        Raises:
            UsageError: An option has a value that makes no sense.
        """
        listener = changes.pop("on_progress", self.on_progress)
        # What is left are the options of a policy, which mypy cannot know.
        policy = make_policy(self.policy, **changes)  # type: ignore[misc]
        changed = Task(self.fn, policy, self.name)
        changed.on_progress = listener
        return changed

    def __reduce__(self) -> tuple[Any, ...]:
        if find_by_reference(self.fn) is not None:
            return (_load_task, (self.fn.__module__, self.fn.__qualname__, self.policy))
        return (Task, (self.fn, self.policy, self.name))

    def __repr__(self) -> str:
        return f"<Task {short_name(self.name)}>"


@overload
def task(fn: Callable[P, R], /, **options: Unpack[TaskOptions]) -> Task[P, R]: ...


@overload
def task(**options: Unpack[TaskOptions]) -> Callable[[Callable[P, R]], Task[P, R]]: ...


def task(fn: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Declare a function as a task, with or without options: `@task` or `@task(retries=3)`.

    The task still calls like the function. Executors run it under its policy, and a
    store knows it by its name, `module:function`.

    Args:
        fn: The function, where there are no options.
        options: Any of these; `task.options(...)` changes some of them in a copy.

            queue: Named line that its jobs wait in; "default".
            priority: Higher runs first; any 32-bit integer; 0.
            retries: How often a *failed* attempt is followed by another; 0.
            backoff: Seconds before the next attempt, doubled each time, or a Backoff; 1.
            retry_on: Exception classes, or their qualified names, to retry; (): all.
            timeout: Seconds an attempt may run before it is killed; 0: no limit.
            max_memory: Bytes, or text such as "512M", that an attempt may hold; 0: no limit.
            max_crashes: At this many lost attempts a job fails as WorkerLost; 3.
            idempotent: False: a started attempt that is lost is never run again; True.
            delay: Seconds between submission and the first attempt; 0.
            on_progress: Called with each Progress that a call reports, in whatever thread hears
                of it; only where this program submits the call; None.

    Raises:
        UsageError: An option has a value that makes no sense.
    """
    if fn is None:
        make_policy(Policy(), **{name: options[name] for name in options if name != "on_progress"})
        return lambda wrapped: call(wrapped, **options)
    return call(fn, **options)


def call(fn: Callable[P, R], /, **options: Unpack[TaskOptions]) -> Task[P, R]:
    """Return the function with options for the calls that are made with it.

        ex.submit(lw.call(resize, timeout=5, on_progress=show), path)
        ex.map(lw.call(resize, timeout=5), paths)    # five seconds for each item

    What it returns is a task: for one this is `task.options(...)`, for any other function
    `task(fn, ...)`. In a map the options hold for each item.

    Raises:
        UsageError: An option has a value that makes no sense.
    """
    known = fn if isinstance(fn, Task) else Task(fn)
    return known.options(**options) if options else known


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


def make_policy(start: Policy, **changes: Unpack[PolicyOptions]) -> Policy:
    """Return `start` with changes, every value checked."""
    values: dict[str, Any] = dict(changes)
    known = {known.name for known in dataclasses.fields(Policy)}
    if unknown := sorted(values.keys() - known):
        names = sorted(known | {"on_progress"})
        raise UsageError(
            f"unknown task option {unknown[0]!r}; expected one of {', '.join(names)}"
            f"{did_you_mean(unknown[0], names)}"
        )
    if "max_memory" in values:
        values["max_memory"] = parse_size(values["max_memory"])
    if "backoff" in values:
        values["backoff"] = _parse_backoff(values["backoff"])
    if "retry_on" in values:
        values["retry_on"] = _exception_names(values["retry_on"])
    for name in _INTEGERS & values.keys():
        # What is no number stays as it is, for the error below.
        found = as_int(values[name])
        values[name] = values[name] if found is None else found
    for name in _SECONDS & values.keys():
        values[name] = _parse_seconds(name, values[name])
    policy = dataclasses.replace(start, **values)
    check_policy(policy)
    return policy


def check_policy(policy: Policy) -> None:
    """Refuse values that make no sense, whoever has written them.

    Raises:
        UsageError: One is out of its bounds.
    """
    if type(policy.queue) is not str or not 0 < len(policy.queue) <= 100:
        raise UsageError(f"queue must be a name of 1 to 100 characters; seen: {policy.queue!r}")
    if type(policy.priority) is not int or not -(2**31) <= policy.priority < 2**31:
        raise UsageError(f"priority must be a 32-bit integer; seen: {policy.priority!r}")
    for name, minimum in (("retries", 0), ("max_crashes", 1)):
        value = getattr(policy, name)
        if type(value) is not int or not minimum <= value < 2**31:
            raise UsageError(
                f"{name} must be an integer of at least {minimum}, below 2**31; seen: {value!r:.100}"
            )
    if not 0 <= policy.max_memory < _TOO_LARGE:
        raise UsageError(
            f"max_memory must be from 0 to {_TOO_LARGE - 1}; seen: {policy.max_memory}"
        )
    for name in _SECONDS:
        _parse_seconds(name, getattr(policy, name))
    if type(policy.idempotent) is not bool:
        raise UsageError(f"idempotent must be True or False; seen: {policy.idempotent!r}")
    for name in ("base", "factor", "cap", "jitter"):
        _parse_seconds(f"backoff.{name}", getattr(policy.backoff, name))


def parse_size(size: int | str) -> int:
    """Return bytes for a number or for text such as "512M" or "1.5 GiB"."""
    number = as_int(size)
    if number is not None and 0 <= number < _TOO_LARGE:
        return number
    # Twelve digits of terabytes are beyond any machine; hundreds would overflow a float.
    form = r"\s*(\d{1,12}(?:\.\d{1,9})?)\s*([KMGT]?)(?:i?B)?\s*"
    found = re.fullmatch(form, str(size), re.IGNORECASE)
    if not isinstance(size, str) or found is None:
        raise UsageError(f'a size is a number of bytes or text such as "512M"; seen: {size!r}')
    return int(float(found[1]) * _UNITS[found[2].upper()])


def task_name(fn: Callable[..., Any]) -> str:
    """Return `module:function`, and for a function of `__main__` also `@` its origin."""
    module = getattr(fn, "__module__", None) or type(fn).__module__
    qualname = getattr(fn, "__qualname__", None) or type(fn).__qualname__
    if module not in _MAIN:
        return f"{module}:{qualname}"
    name, origin = f"{main_module_name()}:{qualname}", main_origin()
    if len(name) + len(origin) >= LONGEST_NAME:
        origin = hashlib.sha256(origin.encode(errors="surrogateescape")).hexdigest()
    return f"{name}@{origin}" if origin else name


def short_name(name: str) -> str:
    """Return a task's name as people see and type it: without its origin."""
    module, colon, rest = name.partition(":")
    return f"{module}{colon}{rest.partition('@')[0]}"


def origin_of(name: str) -> str:
    """Return the script or session in a task's name; "" for tasks of modules."""
    return name.partition(":")[2].partition("@")[2]


def is_of_session(name: str) -> bool:
    """Whether the task came from a `__main__` without a file."""
    return origin_of(name).startswith(_SESSION_WORD)


def main_module_name() -> str:
    """Return the name under which the main script could be imported; `__main__` if none."""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return str(spec.name).removesuffix(".__main__")
    path = getattr(main, "__file__", None)
    return Path(path).stem if path else "__main__"


def main_origin() -> str:
    """Return what tells this `__main__` from others: its file, or a random word; "" for `-m`."""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    # Of a folder or an archive that is run, every one is called `__main__`.
    if spec is not None and spec.name != "__main__":
        return ""
    path = getattr(main, "__file__", None)
    return str(Path(path).resolve()) if path else _SESSION


def find_by_reference(fn: Callable[..., Any]) -> object:
    """Return what `module.qualname` of the function names, or None if it cannot be imported."""
    module, qualname = getattr(fn, "__module__", None), getattr(fn, "__qualname__", "<locals>")
    if module in (None, "__main__") or "<" in qualname:
        return None
    found: object = sys.modules.get(module)
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return found if found is fn or getattr(found, "fn", None) is fn else None


def _load_task(module: str, qualname: str, policy: Policy) -> Task[..., Any]:
    __import__(module)
    found: Any = sys.modules[module]
    for part in qualname.split("."):
        found = getattr(found, part)
    return Task(found.fn if isinstance(found, Task) else found, policy)


def _parse_backoff(backoff: object) -> Backoff:
    if isinstance(backoff, Backoff):
        return backoff
    return Backoff(base=float(_parse_seconds("backoff", backoff)))


def _exception_names(kinds: object) -> tuple[str, ...]:
    # Text is iterable too: retry_on="OSError" would mean seven one-letter names.
    if not isinstance(kinds, tuple | list | set | frozenset):
        raise UsageError(f"retry_on expects a tuple of exception classes; seen: {kinds!r}")
    return tuple(map(_exception_name, kinds))


def _exception_name(kind: object) -> str:
    if isinstance(kind, str):
        return kind
    if isinstance(kind, type) and issubclass(kind, BaseException):
        return f"{kind.__module__}.{kind.__qualname__}"
    raise UsageError(f"retry_on expects exception classes or their names; seen: {kind!r}")


def _parse_seconds(name: str, value: object) -> float:
    number = as_number(value)
    # The upper bound (about 31 years) also refuses infinity and, with >=, NaN.
    if number is None or not 0 <= number < 1e9:
        raise UsageError(f"{name} must be a number from 0 on, less than 1e9; seen: {value!r:.100}")
    return number
