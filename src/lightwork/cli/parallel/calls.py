"""Calls: how a map runs one job: as a program, or as a function on a pool."""

import shlex
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import IO, Any, Final, Protocol

from lightwork.cli.parallel.jobs import End, MapJob, Output, output_of
from lightwork.cli.parallel.live import Live
from lightwork.cli.parallel.slots import Slots
from lightwork.cli.values import read_value, show_value
from lightwork.clock import monotonic
from lightwork.errors import UsageError
from lightwork.pool.choose import open_pool
from lightwork.pool.command import Command, CommandTemplate
from lightwork.pool.future import Future as LightworkFuture
from lightwork.pool.groups import Groups
from lightwork.pool.placeholders import Place, has_placeholder
from lightwork.pool.thread import ThreadExecutor

# What shells say of a program that is not there, and of one that cannot be started.
_NOT_FOUND: Final = 127
_NOT_STARTED: Final = 126
_SIGTERM: Final = 15
AnyFuture = Future[Any]
_Watch = Callable[[IO[bytes], IO[bytes]], AbstractContextManager[None]]


class Calls(Protocol):
    """What a Course needs of whatever runs its jobs."""

    def describe(self, job: MapJob) -> str:
        """Return the job as a shell would be given it."""

    def start(self, job: MapJob) -> AnyFuture:
        """Start it, now or when there is room."""

    def end(self, job: MapJob, future: AnyFuture) -> End:
        """Return how it ended.

        Raises:
            CancelledError: It was cancelled.
        """

    def cancel(self, future: AnyFuture, *, kill: bool) -> None:
        """Cancel it if it has not started, or end it."""

    def abandon(self, futures: list[AnyFuture]) -> None:
        """End what runs: the map is over before it."""

    def close(self) -> None:
        """Return when nothing runs here any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ran:
    """What a thread knows of a program that it ran."""

    command: str
    status: int
    started_at: float
    seconds: float
    stdout: Output
    stderr: Output
    error: str = ""


class CommandCalls:
    """Programs, each in a process group of its own.

    Args:
        template: What is run.
        slots: How many at a time.
        live: Watches their outputs while they run; None: nobody does.
    """

    def __init__(self, template: CommandTemplate, *, slots: int, live: Live | None = None) -> None:
        self._template = template
        self._executor = ThreadExecutor(slots)
        self._groups = Groups()
        self._slots = Slots()
        self._live = live

    def describe(self, job: MapJob) -> str:
        """Return its command line; that of all jobs, if its values do not fit."""
        with suppress(UsageError):
            return str(command_of(self._template, job))
        return str(self._template.form)

    def start(self, job: MapJob) -> AnyFuture:
        """Start it when a thread is free."""
        return self._executor.submit(self._run, job)

    def end(self, job: MapJob, future: AnyFuture) -> End:
        """Return how it ended."""
        try:
            ran: _Ran = future.result()
        except (OSError, UsageError) as error:
            # Too few values for it, no room for its output: its own failure, not the map's.
            ran = _not_started(self.describe(job), str(error))
        by_signal = ran.status < 0
        return End(
            job=job,
            command=ran.command,
            status=-1 if by_signal else ran.status,
            signal=-ran.status if by_signal else 0,
            started_at=ran.started_at,
            seconds=ran.seconds,
            stdout=ran.stdout,
            stderr=ran.stderr,
            error=ran.error,
        )

    def cancel(self, future: AnyFuture, *, kill: bool) -> None:
        """Cancel it; a running program hears SIGTERM and, two seconds later, SIGKILL."""
        assert isinstance(future, LightworkFuture)
        future.cancel(running="ask" if kill else "no")

    def abandon(self, futures: list[AnyFuture]) -> None:
        """Ask all of them to stop."""
        for future in futures:
            self.cancel(future, kill=True)

    def close(self) -> None:
        """Wait for the threads."""
        self._executor.shutdown(wait=True)
        self._groups.close()

    def _run(self, job: MapJob) -> _Ran:
        with self._slots.lend() as slot:
            command = command_of(self._template, job, slot=slot)
            watch = partial(self._live.watch, job) if self._live is not None else _unwatched
            return _run_command(command, self._groups, watch)


def command_of(template: CommandTemplate, job: MapJob, *, slot: int = 1) -> Command:
    """Return what a job runs.

    Args:
        template: What all jobs run.
        job: Its input.
        slot: The number of the slot that runs it.

    Raises:
        UsageError: A placeholder asks for a value that it does not have.
    """
    place = Place(seq=job.seq, slot=slot, least=job.least)
    if job.values:
        return template.command(*job.values, place=place)
    # Nothing is appended where there is nothing, and every value is empty.
    argv = template.form.argv
    words = [argv] if isinstance(argv, str) else list(map(str, argv))
    form = template.command("", place=place) if any(map(has_placeholder, words)) else template.form
    return form if job.block is None else replace(form, input=job.block)


@contextmanager
def _unwatched(_stdout: IO[bytes], _stderr: IO[bytes]) -> Iterator[None]:
    yield


def _not_started(command: str, error: str) -> _Ran:
    return _Ran(
        command=command,
        status=_NOT_STARTED,
        started_at=time.time(),
        seconds=0.0,
        stdout=Output(),
        stderr=Output(),
        error=f"it cannot be started: {error}",
    )


def _run_command(command: Command, groups: Groups, watch: _Watch) -> _Ran:
    started_at, start = time.time(), monotonic()
    with ExitStack() as stack:
        # Files without names: outputs of any size, and nothing is left of them.
        stdout: IO[bytes] = stack.enter_context(tempfile.TemporaryFile(buffering=0))
        stderr: IO[bytes] = stack.enter_context(tempfile.TemporaryFile(buffering=0))
        with watch(stdout, stderr):
            status, error = _status_of(command, stdout, stderr, groups)
        seconds = monotonic() - start
        outputs = output_of(stdout), output_of(stderr)
        stack.pop_all()
    return _Ran(
        command=str(command),
        status=status,
        started_at=started_at,
        seconds=seconds,
        stdout=outputs[0],
        stderr=outputs[1],
        error=error,
    )


def _status_of(
    command: Command, stdout: IO[bytes], stderr: IO[bytes], groups: Groups
) -> tuple[int, str]:
    try:
        return command.run_into(stdout, stderr, groups=groups).returncode, ""
    except TimeoutError as error:
        return -_SIGTERM, str(error)
    except FileNotFoundError as error:
        return _NOT_FOUND, f"it cannot be started: {error}"
    except (OSError, ValueError) as error:
        # ValueError: an argument holds a NUL.
        return _NOT_STARTED, f"it cannot be started: {error}"


class FunctionCalls:
    """Calls of a function on a pool of this machine.

    Args:
        fn: The function.
        where: Words for the pool.
    """

    def __init__(self, fn: Callable[..., Any], *, name: str, where: str) -> None:
        self._fn = fn
        self._name = name
        self._executor = open_pool(where)
        self._started: dict[AnyFuture, tuple[float, float]] = {}

    def describe(self, job: MapJob) -> str:
        """Return the function's name and its arguments."""
        return shlex.join([self._name, *job.values])

    def start(self, job: MapJob) -> AnyFuture:
        """Start it when the pool has room."""
        started = time.time(), monotonic()
        future = self._executor.submit(self._fn, *map(read_value, job.values))
        self._started[future] = started
        return future

    def end(self, job: MapJob, future: AnyFuture) -> End:
        """Return how it ended; its time counts from when it was submitted."""
        started_at, start = self._started.pop(future)
        return function_end(job, self.describe(job), future, (started_at, monotonic() - start))

    def cancel(self, future: AnyFuture, *, kill: bool) -> None:
        """Cancel it; in a child it is killed, in a thread it is asked to stop."""
        assert isinstance(future, LightworkFuture)
        future.cancel(running="kill" if kill else "no")

    def abandon(self, futures: list[AnyFuture]) -> None:
        """Kill the children; threads end when their call does."""
        del futures
        self._executor.kill_workers()

    def close(self) -> None:
        """Wait for the pool."""
        self._executor.shutdown(wait=True)


def function_end(job: MapJob, command: str, future: AnyFuture, times: tuple[float, float]) -> End:
    """Return the end of a call of a function; `times`: start, seconds.

    Raises:
        CancelledError: It was cancelled.
    """
    error = future.exception()
    result = None if error is not None else future.result()
    shown = b"" if error is not None else show_value(result)
    return End(
        job=job,
        command=command,
        status=0 if error is None else 1,
        started_at=times[0],
        seconds=times[1],
        stdout=Output(shown),
        stderr=Output(),
        error="" if error is None else error_text(error),
        result=result,
    )


def error_text(error: BaseException) -> str:
    """Return an error as people want to see it: in full, for it is the user's own code."""
    return "".join(traceback.format_exception(error)).rstrip()
