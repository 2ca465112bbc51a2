"""Around: the context managers of a user, entered around each attempt of each task.

Runs where the task runs, in the child: the place for tracing, for a database session, for
whatever reports errors. A middleware is called with the attempt (job_id, seq, number, policy with
the queue, failures, crashes) and the task, and returns a context manager, which

- is entered after the arguments were decoded, the first middleware outermost;
- sees what the task raises, and cannot hide it: an outcome is the task's own;
- fails the attempt by what it raises itself, and the error says that it was not the task. What the
  task's policy says of failures holds for these too.

A coroutine function may have asynchronous ones, too.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    ExitStack,
)
from functools import partial
from typing import Any, TypeAlias

from lightwork.callables import check_callable
from lightwork.errors import UsageError
from lightwork.model import Attempt
from lightwork.tasks.task import Task

Entered: TypeAlias = AbstractContextManager[Any] | AbstractAsyncContextManager[Any]
Middleware: TypeAlias = Callable[[Attempt, Task[..., Any]], Entered]


class Blamed(Exception):  # noqa: N818 - never leaves the runner
    """An error of a middleware; `where` says whose it was, and when."""

    def __init__(self, error: BaseException, where: str) -> None:
        super().__init__(where)
        self.error = error
        self.where = where


def check_middleware(given: Iterable[Any]) -> tuple[Middleware, ...]:
    """Return them as a tuple.

    Raises:
        UsageError: One cannot be called.
    """
    found = tuple(given)
    for one in found:
        check_callable(one, "middleware")
    return found


class Around:
    """One run of one attempt inside of all middleware."""

    def __init__(
        self, middleware: Sequence[Middleware], attempt: Attempt, task: Task[..., Any]
    ) -> None:
        self._middleware = middleware
        self._attempt = attempt
        self._task = task
        # What a middleware has raised, and where.
        self._blamed: Blamed | None = None

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Call the task inside of them.

        Raises:
            BaseException: What the task has raised.
            Blamed: A middleware has raised something.
        """
        with ExitStack() as stack:
            for make in self._middleware:
                self._enter(stack, make)
            value = self._task.fn(*args, **kwargs)
        if self._blamed is not None:
            raise self._blamed
        return value

    async def run_async(self, *args: Any, **kwargs: Any) -> Any:
        """Do the same with a coroutine function."""
        async with AsyncExitStack() as stack:
            for make in self._middleware:
                await self._enter_async(stack, make)
            value = await self._task.fn(*args, **kwargs)
        if self._blamed is not None:
            raise self._blamed
        return value

    def _enter(self, stack: ExitStack | AsyncExitStack, make: Middleware) -> None:
        try:
            entered = make(self._attempt, self._task)
            self._check(entered, is_async=False)
            entered.__enter__()  # type: ignore[union-attr] # checked above
        except BaseException as error:
            raise self._blame(error, make, "before the task began") from error
        stack.push(partial(self._exit, entered, make))

    async def _enter_async(self, stack: AsyncExitStack, make: Middleware) -> None:
        try:
            entered = make(self._attempt, self._task)
            self._check(entered, is_async=True)
            if not hasattr(entered, "__aenter__"):
                entered.__enter__()
            else:
                await entered.__aenter__()
        except BaseException as error:
            raise self._blame(error, make, "before the task began") from error
        if hasattr(entered, "__aenter__"):
            stack.push_async_exit(partial(self._exit_async, entered, make))
        else:
            stack.push(partial(self._exit, entered, make))

    def _exit(self, entered: Any, make: Middleware, *failure: Any) -> bool:
        error = _seen(failure[1])
        try:
            entered.__exit__(None if error is None else type(error), error, failure[2])
        except BaseException as raised:
            self._note_exit(raised, error, make)
        return False

    async def _exit_async(self, entered: Any, make: Middleware, *failure: Any) -> bool:
        error = _seen(failure[1])
        try:
            await entered.__aexit__(None if error is None else type(error), error, failure[2])
        except BaseException as raised:
            self._note_exit(raised, error, make)
        return False

    def _note_exit(
        self, raised: BaseException, error: BaseException | None, make: Middleware
    ) -> None:
        # A generator raises what it was told of; whatever else it raises then, the task failed first.
        if error is None and self._blamed is None:
            self._blamed = self._blame(raised, make, "after the task had returned")

    def _blame(self, error: BaseException, make: Middleware, when: str) -> Blamed:
        return Blamed(error, f"middleware {_name(make)} failed {when}")

    def _check(self, entered: object, *, is_async: bool) -> None:
        if hasattr(entered, "__enter__") or (is_async and hasattr(entered, "__aenter__")):
            return
        if hasattr(entered, "__aenter__"):
            raise UsageError(
                f"it is asynchronous, and {self._task.name} is no coroutine function: give it a "
                "context manager for `with`, or let it look at the task"
            )
        seen = "a coroutine" if isinstance(entered, Awaitable) else type(entered).__name__
        if inspect.iscoroutine(entered):
            entered.close()
        raise UsageError(
            f"it must return a context manager, as a function with @contextlib.contextmanager "
            f"does; seen: {seen}"
        )


def find_cause(error: BaseException) -> tuple[BaseException, str]:
    """Return the error itself, and what is to be said of whose it is."""
    return (error.error, f"{error.where}: ") if type(error) is Blamed else (error, "")


def _seen(error: BaseException | None) -> BaseException | None:
    return error.error if type(error) is Blamed else error


def _name(make: Middleware) -> str:
    return str(getattr(make, "__qualname__", type(make).__qualname__))
