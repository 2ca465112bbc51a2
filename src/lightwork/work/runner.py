"""Runner: the part of an attempt that runs where user code runs.

Decodes the arguments, runs the task, encodes the result or describes the error.
The worker sees bytes and text only: no value of a user is ever loaded in the
process that talks to the database.
"""

import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from struct import Struct
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from lightwork.codec import Codec, Subject
from lightwork.error_info import describe_error
from lightwork.errors import PayloadError
from lightwork.model import Attempt, ErrorInfo
from lightwork.pool.call.coroutine_function import is_coroutine_function
from lightwork.pool.call.current import Current, current, enter, run_with
from lightwork.pool.child import peak_memory
from lightwork.pool.map.bundle import Outcome as Bundled
from lightwork.pool.map.bundle import Parcel, run_items
from lightwork.pool.wire.display_name import runs_first_argument
from lightwork.pool.wire.dump_exception import pack_exception
from lightwork.retry import snooze_of
from lightwork.tasks.names import short_name
from lightwork.tasks.task import Task
from lightwork.work.flight.loading import taken_apart
from lightwork.work.inputs.filling import decoded_call
from lightwork.work.middleware.around import Around, Middleware, find_cause

# Before the payload of an attempt in a bundle: the store's number of the job, the attempt's, the id.
HEAD: Final = Struct(">qq16s")
# Before the result of one that returned: how long it ran.
SECONDS: Final = Struct(">d")


# A NamedTuple: one travels for every job, and a frozen dataclass takes 5 us longer to pickle.
class Returned(NamedTuple):
    """The task returned; `result` is encoded."""

    result: bytes
    seconds: float


class Raised(NamedTuple):
    """The task raised, or its payload could not be decoded (`is_final`: do not retry)."""

    error: ErrorInfo
    # Qualified names of its class and of their bases, for retry_on.
    bases: tuple[str, ...]
    is_final: bool
    seconds: float


class Snooze(NamedTuple):
    """The task raised Later."""

    delay: float
    seconds: float


class Committed(NamedTuple):
    """The task returned, and its outcome is recorded already; see transaction/runner.py."""

    result: bytes
    seconds: float


Outcome: TypeAlias = Returned | Raised | Snooze | Committed


class Runner:
    """A task made ready to run attempts; travels to a child once.

    `sends_errors`: what the task raises goes to the worker as itself, too, which is for futures
    of the same program.
    """

    # Tells the pool to pickle it once; see pool/wire/function.py.
    is_unchanging: Final = True
    # Entered around each attempt; see middleware/around.py.
    middleware: tuple[Middleware, ...] = ()

    def __init__(
        self, task: Task[..., Any], codec: Codec, name: str, *, sends_errors: bool = False
    ) -> None:
        self.task = task
        # As rows name it, which is what their payloads are signed for.
        self.name = name
        self.codec = codec
        self._sends_errors = sends_errors
        # Names the call in errors of the pool.
        self.__qualname__ = short_name(task.name)

    def __reduce__(self) -> tuple[Any, ...]:
        return taken_apart(self)

    def arguments(self, attempt: Attempt, _worker_id: uuid.UUID) -> tuple[Any, ...]:
        """Return what it is called with for an attempt that a worker has claimed."""
        needed = (attempt.job_id, attempt.number, attempt.payload)
        is_told = self.middleware or attempt.headers
        return (*needed, replace(attempt, payload=b"")) if is_told else needed

    def __call__(
        self, job_id: uuid.UUID, number: int, payload: bytes, attempt: Attempt | None = None
    ) -> Outcome:
        """Run one attempt; whatever goes wrong is described, nothing is raised."""
        return self.run(job_id, payload, _current_attempt(job_id, number, attempt), attempt)

    def run(
        self,
        job_id: uuid.UUID,
        payload: bytes,
        current_attempt: Current,
        attempt: Attempt | None = None,
    ) -> Outcome:
        """Do the same; `current_attempt` is what the task finds with `current()`."""
        started = time.monotonic()
        peak_memory.begin(started)
        try:
            return self._run(job_id, payload, current_attempt, attempt, started=started)
        finally:
            peak_memory.end()

    def _run(
        self,
        job_id: uuid.UUID,
        payload: bytes,
        current_attempt: Current,
        attempt: Attempt | None,
        *,
        started: float,
    ) -> Outcome:
        subject = Subject(job_id, self.name)
        try:
            args, kwargs = decoded_call(self.codec, subject, payload, self.task.fn)
        except PayloadError as error:
            return self._raised(error, started, is_final=True)
        try:
            value = run_with(current_attempt, self._around(attempt), args, kwargs)
        except BaseException as error:
            # SystemExit and KeyboardInterrupt of a task are failures like others.
            return self._raised(error, started, is_final=False)
        return self._encode(subject, value, started)

    def _around(self, attempt: Attempt | None) -> Callable[..., Any]:
        """Return the function, inside of the middleware if there is any."""
        if attempt is None:
            return self.task.fn
        return Around(self.middleware, attempt, self.task).run

    def _raised(self, error: BaseException, started: float, *, is_final: bool) -> Raised | Snooze:
        # First: to describe an error takes memory, too.
        peak = peak_memory.peak()
        error, where = find_cause(error)
        delay = snooze_of(error)
        if delay is not None:
            return Snooze(delay, time.monotonic() - started)
        info, mro = describe_error(error)
        info = replace(info, text=f"{where}{info.text}", peak_memory=peak)
        if self._sends_errors:
            info = replace(info, packed=pack_exception(error))
        return Raised(info, mro, is_final, time.monotonic() - started)

    def _encode(self, subject: Subject, value: object, started: float) -> Outcome:
        try:
            result = self.codec.encode_result(subject, value, fn=self.task.fn)
        except PayloadError as error:
            return self._raised(error, started, is_final=True)
        return Returned(result, time.monotonic() - started)


class AsyncRunner(Runner):
    """The same for a coroutine function: a call that pools run on an event loop."""

    async def __call__(  # type: ignore[override]
        self, job_id: uuid.UUID, number: int, payload: bytes, attempt: Attempt | None = None
    ) -> Outcome:
        """Run one attempt; see Runner. Only being cancelled is not described: the pool says why."""
        started = time.monotonic()
        subject = Subject(job_id, self.name)
        try:
            args, kwargs = decoded_call(self.codec, subject, payload, self.task.fn)
        except PayloadError as error:
            return self._raised(error, started, is_final=True)
        enter(_current_attempt(job_id, number, attempt))
        try:
            if attempt is None:
                value = await self.task.fn(*args, **kwargs)
            else:
                around = Around(self.middleware, attempt, self.task)
                value = await around.run_async(*args, **kwargs)
        except BaseException as error:
            if _is_being_cancelled():
                raise
            return self._raised(error, started, is_final=False)
        return self._encode(subject, value, started)


@runs_first_argument
def run_attempts(runner: Runner, attempts: Parcel, *, first: int, end: int) -> Bundled:
    """Run the attempts of a bundle from `first` to `end`, or some of them; see flight/bundled.py."""
    call = current()
    return run_items(partial(_run_packed, runner, call), attempts.pickles()[first:end])


def _run_packed(runner: Runner, call: Current, packed: memoryview) -> Any:
    seq, number, raw_id = HEAD.unpack_from(packed)
    # A third of what UUID(bytes=...) takes.
    job_id = msgspec.convert(raw_id, uuid.UUID)
    report = partial(_report_of, call, seq)
    attempt = Current(call.worker, report, call._is_cancelled, job_id=job_id, attempt=number)
    outcome = runner.run(job_id, bytes(packed[HEAD.size :]), attempt)
    # Bytes, which are pickled in a quarter of the time, and opened in a half.
    if type(outcome) is Returned:
        return SECONDS.pack(outcome.seconds) + outcome.result
    return outcome


def opened(packed: bytes) -> tuple[bytes, float]:
    """Return the result of an attempt in a bundle that returned, and how many seconds it ran."""
    (seconds,) = SECONDS.unpack_from(packed)
    return packed[SECONDS.size :], seconds


def _report_of(call: Current, seq: int, done: float, total: float, note: str) -> None:
    # All report as the one call that they are for the pool.
    call.progress(done, total, f"{seq} {note}")


def make_runner(
    task: Task[..., Any], codec: Codec, name: str, *, sends_errors: bool = False
) -> Runner:
    """Return what runs attempts of the task, which rows call by this name; see Runner.

    Raises:
        UsageError: It is an async generator function.
    """
    kind = AsyncRunner if is_coroutine_function(task) else Runner
    return kind(task, codec, name, sends_errors=sends_errors)


def _is_being_cancelled() -> bool:
    # Where this is asked, a loop runs; other children never pay 20 ms for asyncio.
    import asyncio  # noqa: PLC0415 - see above

    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _current_attempt(job_id: uuid.UUID, number: int, attempt: Attempt | None) -> Current:
    call = current()
    return Current(
        call.worker,
        call._report,
        call._is_cancelled,
        job_id=job_id,
        attempt=number,
        headers=() if attempt is None else attempt.headers,
    )
