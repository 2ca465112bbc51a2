"""Task: a registered function with policy, and nothing else.

`@task` wraps a function so that calling it still calls the function, types and
all; what it adds is the policy under which executors run it and the name under
which a store knows it. Owns no registry: a worker finds tasks by looking at
modules it was told to import (work/catalog.py), never the other way round.

A task travels to a child process by reference when its module can be imported
there, and by value (with cloudpickle) when it lives in `__main__`.

Its name is told in names.py.
"""

import dataclasses
import functools
import inspect
import sys
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Final,
    Generic,
    Literal,
    ParamSpec,
    TypedDict,
    TypeVar,
    Unpack,
    overload,
)

from lightwork.bounds.parsing import parse_headers, parse_limits, parse_tags, parse_unique
from lightwork.callables import (
    AnyTask,
    check_callable,
    find_by_reference,
    parse_after,
    parse_job_id,
    parse_on_failure,
)
from lightwork.error_text import class_name, did_you_mean
from lightwork.errors import UsageError
from lightwork.model import Backoff, Limit, Policy, Progress, Unique
from lightwork.numeric import SIZE_LIMIT, as_int, as_number, parse_size
from lightwork.tasks.names import is_odd, short_name, task_name

if TYPE_CHECKING:
    from lightwork.schedule.declared import Schedule

P = ParamSpec("P")
R = TypeVar("R")

_POSITIONAL: Final = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.VAR_POSITIONAL,
)
_INTEGERS: Final = frozenset({"priority", "retries", "max_crashes"})
_SECONDS: Final = frozenset({"timeout", "delay", "expires"})
_OF_CALLS: Final = ("on_progress", "on_failure")
_OF_SCHEDULES: Final = ("schedule", "tz", "catch_up")


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
    at: datetime | None
    expires: float
    unique: Unique | str | bool | None
    limit: Limit | Sequence[Limit]
    tags: Sequence[str]
    headers: Mapping[str, str]


class TaskOptions(PolicyOptions, total=False):
    """The same, and what holds only in the program that says it.

    `on_progress` is called with each Progress that a call reports, in whatever thread hears of
    it; it does not travel with the task, and a store does not keep it. `job_id`, a UUID, names the
    one job that is submitted with it: submitted again, it is not kept twice. Only stores have jobs.

    A call waits for the futures (or ids of jobs) in `after` as for those among its arguments; with
    `on_failure="run"` it runs also when one fails, whose exception is its argument then.
    """

    on_progress: Callable[[Progress], object] | None
    job_id: uuid.UUID | str
    after: Iterable[Future[Any] | uuid.UUID | str]
    on_failure: Literal["fail", "run"]


class TaskDeclaration(TaskOptions, total=False):
    """The same, and what holds for a task that is declared, never for a copy with other options."""

    schedule: str | float | timedelta
    tz: str
    catch_up: str


class Task(AnyTask, Generic[P, R]):
    """A function with policy; calls like the function."""

    __module__ = "lightwork"

    def __init__(self, fn: Callable[P, R], policy: Policy | None = None, name: str = "") -> None:
        check_callable(fn, "@task")
        # First, because it copies the function's attributes over ours.
        functools.update_wrapper(self, fn)
        self.fn: Callable[P, R] = fn
        self.policy = policy or Policy()
        # Given where the function has travelled: there `__main__` is another.
        self.name = name or task_name(fn)
        if is_odd(self.name):
            raise UsageError(
                f"the name of a task has no control characters and no space at an end; seen: {self.name!r:.300}, "
                "of the function's __module__ and __qualname__"
            )
        # Of whoever has declared it: copies, and what has travelled, have none.
        self.schedule: Schedule | None = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function itself, here and now."""
        return self.fn(*args, **kwargs)

    @property
    def called(self) -> Callable[..., R]:
        """What its jobs call, as annotations tell: the function, without a session that it gets."""
        return _WithoutFirst(self.fn) if self.transaction else self.fn

    def options(self, **changes: Unpack[TaskOptions]) -> "Task[P, R]":
        """Return a copy with other policy; the original is unchanged.

        Raises:
            UsageError: An option has a value that makes no sense.
        """
        listener = changes.pop("on_progress", self.on_progress)
        job_id = changes.pop("job_id", None)
        after = changes.pop("after", None)
        on_failure = changes.pop("on_failure", self.on_failure)
        # What is left are the options of a policy, which mypy cannot know.
        policy = make_policy(self.policy, **changes)  # type: ignore[misc]
        changed = _make_task(self.fn, policy, self.name, self.transaction)
        changed.on_progress = listener
        changed.job_id = self.job_id if job_id is None else parse_job_id(job_id)
        changed.after = self.after if after is None else parse_after(after)
        changed.on_failure = parse_on_failure(on_failure)
        return changed

    def __reduce__(self) -> tuple[Any, ...]:
        if find_by_reference(self.fn) is not None:
            return (_load_task, (self.fn.__module__, self.fn.__qualname__, self.policy))
        return (_make_task, (self.fn, self.policy, self.name, self.transaction))

    def __repr__(self) -> str:
        return f"<Task {short_name(self.name)}>"


@overload
def task(fn: Callable[P, R], /, **options: Unpack[TaskOptions]) -> Task[P, R]: ...


@overload
def task(**options: Unpack[TaskDeclaration]) -> Callable[[Callable[P, R]], Task[P, R]]: ...


@overload
def task(
    *, transaction: Literal[True], **options: Unpack[TaskDeclaration]
) -> Callable[[Callable[Concatenate[Any, P], R]], Task[P, R]]: ...


def task(
    fn: Callable[..., Any] | None = None, /, *, transaction: bool = False, **options: Any
) -> Any:
    """Declare a function as a task, with or without options: `@task` or `@task(retries=3)`.

    The task still calls like the function. Executors run it under its policy, and a
    store knows it by its name, `module:function`.

    Args:
        fn: The function, where there are no options.
        transaction: Its first parameter is a Session of SQLAlchemy on the store's database, which is
            not submitted. What it writes there and the outcome of its job are committed together
            when it returns, or not at all; a statement that commits by itself (COMMIT by text, and on
            MariaDB CREATE, ALTER, DROP) ends that, and fails the job for good. On SQLite it holds up
            every other write from its first statement on: compute first, write last. Only workers of a
            store run such a task; on its own it is called as `task.fn(session, ...)`.
        options: Any of these; `task.options(...)` changes some of them in a copy.

            queue: Named line that its jobs wait in; "default".
            priority: Higher runs first; any 32-bit integer above -2**31; 0.
            retries: How often a *failed* attempt is followed by another; 0.
            backoff: Seconds before the next attempt, doubled each time, or a Backoff; 1.
            retry_on: Exception classes, or their qualified names, to retry; (): all.
            timeout: Seconds an attempt may run before it is killed; 0: no limit.
            max_memory: Bytes, or text such as "512M", that an attempt may hold; 0: no limit.
            max_crashes: At this many lost attempts a job fails as WorkerLost; 3.
            idempotent: False: a started attempt that is lost is never run again; True.
            delay: Seconds between submission and the first attempt; 0.
            at: Aware datetime before which it does not begin, instead of `delay`; None.
            expires: Seconds after which a job that has not begun is cancelled, from its
                submission, or from when `delay` or `at` lets it begin; 0: never. In a store.
            unique: Which jobs there may not be beside one another: True for equal arguments, the
                template of a key ("user:{user_id}"), or a Unique; None. In a store.
            limit: A Limit, or several: how many jobs of a key run at once, or begin in a while,
                on all workers together; (). In a store.
            tags: Words that its jobs can be found by; (). In a store.
            headers: A small dict of texts that travels with its jobs, for `current().headers`, such
                as a trace context; {}. In a store.
            on_failure: What a call does when one fails that it waits for, "fail" or "run"; "fail".
            on_progress: Called with each Progress that a call reports, in whatever thread hears
                of it; only where this program submits the call; None.
            schedule: When a store makes a job of it by itself, without arguments: fields of cron
                such as "0 3 * * *", "every 30s", seconds, or a timedelta. It is kept by each
                worker that starts and knows the task.
            tz: Time zone of the fields of cron, such as "Europe/Berlin"; "UTC".
            catch_up: What becomes of due times that no worker was there for: "none", "one"
                job for the latest, "all"; "one".

    Raises:
        UsageError: An option has a value that makes no sense.
        BadSchedule: The schedule is none, or the function needs arguments.
    """
    said = {name: options.pop(name) for name in _OF_SCHEDULES if name in options}
    if fn is None:
        for name in sorted({"job_id", "after"} & options.keys()):
            raise UsageError(
                f"{name} is about one job, and a task may have many; say it where that is submitted: "
                f"`executor.submit(fn.options({name}=...), ...)`"
            )
        parse_on_failure(options.get("on_failure", "fail"))
        make_policy(Policy(), **{name: options[name] for name in options if name not in _OF_CALLS})
        if transaction:
            return lambda wrapped: _scheduled(call(_in_transaction(wrapped), **options), said)
        return lambda wrapped: _scheduled(call(wrapped, **options), said)
    return _scheduled(call(_in_transaction(fn) if transaction else fn, **options), said)


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


def make_policy(start: Policy, **changes: Unpack[PolicyOptions]) -> Policy:
    """Return `start` with changes, every value checked."""
    values: dict[str, Any] = dict(changes)
    known = {known.name for known in dataclasses.fields(Policy)}
    if unknown := sorted(values.keys() - known):
        if unknown[0] in _OF_SCHEDULES:
            raise UsageError(
                f"{unknown[0]} belongs to a task where it is declared, @lw.task(schedule=...); calls "
                "and copies with other options have no schedule"
            )
        names = sorted({*known, "after", "job_id", *_OF_CALLS, *_OF_SCHEDULES})
        raise UsageError(
            f"unknown task option {unknown[0]!r}; expected one of {', '.join(names)}"
            f"{did_you_mean(unknown[0], names)}"
        )
    if "max_memory" in values:
        values["max_memory"] = parse_size(values["max_memory"])
    if "backoff" in values:
        values["backoff"] = _parse_backoff(values["backoff"])
    if "unique" in values:
        values["unique"] = parse_unique(values["unique"])
    if "limit" in values:
        values["limit"] = parse_limits(values["limit"])
    if "tags" in values:
        values["tags"] = parse_tags(values["tags"])
    if "headers" in values:
        values["headers"] = parse_headers(values["headers"])
    if "retry_on" in values:
        values["retry_on"] = _exception_names(values["retry_on"])
    for name in _INTEGERS & values.keys():
        # What is no number stays as it is, for the error below.
        found = as_int(values[name])
        values[name] = values[name] if found is None else found
    for name in _SECONDS & values.keys():
        values[name] = _parse_seconds(name, values[name])
    policy = dataclasses.replace(start, **_one_beginning(values))
    check_policy(policy)
    return policy


def check_policy(policy: Policy) -> None:
    """Refuse values that make no sense, whoever has written them.

    Raises:
        UsageError: One is out of its bounds.
    """
    if type(policy.queue) is not str or not 0 < len(policy.queue) <= 100 or is_odd(policy.queue):
        raise UsageError(
            "queue must be a name of 1 to 100 characters, without control characters and spaces at its ends; "
            f"seen: {policy.queue!r:.300}"
        )
    if type(policy.priority) is not int or not -(2**31) < policy.priority < 2**31:
        raise UsageError(
            f"priority must be a 32-bit integer above -2**31; seen: {policy.priority!r}"
        )
    for name, minimum in (("retries", 0), ("max_crashes", 1)):
        value = getattr(policy, name)
        if type(value) is not int or not minimum <= value < 2**31:
            raise UsageError(
                f"{name} must be an integer of at least {minimum}, below 2**31; seen: {value!r:.100}"
            )
    if not 0 <= policy.max_memory < SIZE_LIMIT:
        raise UsageError(
            f"max_memory must be from 0 to {SIZE_LIMIT - 1}; seen: {policy.max_memory}"
        )
    for name in _SECONDS:
        _parse_seconds(name, getattr(policy, name))
    _check_at(policy.at)
    if type(policy.idempotent) is not bool:
        raise UsageError(f"idempotent must be True or False; seen: {policy.idempotent!r}")
    for name in ("base", "factor", "cap", "jitter"):
        _parse_seconds(f"backoff.{name}", getattr(policy.backoff, name))


def _scheduled(declared: Task[P, R], said: Mapping[Any, Any]) -> Task[P, R]:
    """Give a task its schedule, if it was declared with one."""
    if said:
        # For those who have schedules: cron, calendars and time zones.
        from lightwork.schedule.declared import declare  # noqa: PLC0415 - see above

        # What was a task already stays as it is.
        declared = declared.options()
        declared.schedule = declare(declared.called, **said)
    return declared


def _load_task(module: str, qualname: str, policy: Policy) -> Task[..., Any]:
    __import__(module)
    found: Any = sys.modules[module]
    for part in qualname.split("."):
        found = getattr(found, part)
    if isinstance(found, Task):
        return _make_task(found.fn, policy, "", found.transaction)
    return Task(found, policy)


def _make_task(
    fn: Callable[P, R],
    policy: Policy,
    name: str,
    transaction: bool,  # noqa: FBT001 - pickle knows no keywords
) -> Task[P, R]:
    made = Task(fn, policy, name)
    made.transaction = transaction
    return made


def _in_transaction(fn: Callable[..., R]) -> Task[..., R]:
    """Return a task that gets a session.

    Raises:
        UsageError: It has no parameter for that, or is a coroutine function.
    """
    check_callable(fn, "@task")
    name = getattr(fn, "__qualname__", repr(fn))
    if inspect.iscoroutinefunction(fn) or inspect.isasyncgenfunction(fn):
        raise UsageError(
            f"{name} is a coroutine function, and transaction=True gives a Session, which would hold "
            "up its event loop; declare a plain `def`, or commit for yourself in a task without it"
        )
    first = next(iter(inspect.signature(fn).parameters.values()), None)
    if first is None or first.kind not in _POSITIONAL:
        raise UsageError(
            f"transaction=True passes a Session as the first argument, and {name} has none; "
            f"expected `def {name}(session, ...)`"
        )
    return _make_task(fn, Policy(), "", transaction=True)


class _WithoutFirst:
    """Has the signature of a function without its first parameter, and its annotations."""

    def __init__(self, fn: Callable[..., Any]) -> None:
        self.__wrapped__ = fn
        self.__qualname__ = getattr(fn, "__qualname__", type(fn).__qualname__)
        signature = inspect.signature(fn)
        _, *rest = signature.parameters.values()
        self.__signature__ = signature.replace(parameters=rest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _WithoutFirst) and other.__wrapped__ is self.__wrapped__

    def __hash__(self) -> int:
        return hash((_WithoutFirst, self.__wrapped__))

    def __call__(self, *_args: Any, **_kwargs: Any) -> Any:
        """Never called: it is looked at."""
        raise AssertionError(self.__qualname__)


def _one_beginning(values: dict[str, Any]) -> dict[str, Any]:
    """Return changes in which the last word on when it begins is the only one."""
    if values.get("at") is None:
        return values | {"at": None} if values.get("delay") else values
    if values.get("delay"):
        raise UsageError(f"say delay or at, not both; seen: {values['delay']} and {values['at']}")
    return values | {"delay": 0.0}


def _check_at(at: object) -> None:
    if at is not None and (not isinstance(at, datetime) or at.utcoffset() is None):
        raise UsageError(
            "at must be a datetime with a time zone, such as datetime(2026, 12, 24, 18, "
            f"tzinfo=UTC); seen: {at!r:.100}"
        )


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
        return class_name(kind)
    raise UsageError(f"retry_on expects exception classes or their names; seen: {kind!r}")


def _parse_seconds(name: str, value: object) -> float:
    number = as_number(value)
    # The upper bound (about 31 years) also refuses infinity and, with >=, NaN.
    if number is None or not 0 <= number < 1e9:
        raise UsageError(f"{name} must be a number from 0 on, less than 1e9; seen: {value!r:.100}")
    return number
