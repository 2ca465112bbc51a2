"""Runner: the part of an attempt that runs where user code runs.

Decodes the arguments, runs the task, encodes the result or describes the error.
The worker sees bytes and text only: no value of a user is ever loaded in the
process that talks to the database.
"""

import time
import uuid
from dataclasses import replace
from typing import Any, Final, NamedTuple

from lightwork.codec import Codec, Subject
from lightwork.description import describe_error
from lightwork.errors import PayloadError
from lightwork.model import ErrorInfo
from lightwork.pool.capsule import pack_exception
from lightwork.pool.coroutine import is_coroutine_function
from lightwork.pool.current import Current, current, enter, run_with
from lightwork.tasks import Task, short_name


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


class Runner:
    """A task made ready to run attempts; travels to a child once.

    `sends_errors`: what the task raises goes to the worker as itself, too, which is for futures
    of the same program.
    """

    # Tells the pool to pickle it once; see pool/function.py.
    is_unchanging: Final = True

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

    def __call__(self, job_id: uuid.UUID, number: int, payload: bytes) -> Returned | Raised:
        """Run one attempt; whatever goes wrong is described, nothing is raised."""
        started = time.monotonic()
        fn = self.task.fn
        try:
            args, kwargs = self.codec.decode_call(Subject(job_id, self.name), payload, fn)
        except PayloadError as error:
            return self._raised(error, started, is_final=True)
        try:
            value = run_with(_current_attempt(job_id, number), fn, args, kwargs)
        except BaseException as error:
            # SystemExit and KeyboardInterrupt of a task are failures like others.
            return self._raised(error, started, is_final=False)
        return self._encode(job_id, value, started)

    def _raised(self, error: BaseException, started: float, *, is_final: bool) -> Raised:
        info, mro = describe_error(error)
        if self._sends_errors:
            info = replace(info, packed=pack_exception(error))
        return Raised(info, mro, is_final, time.monotonic() - started)

    def _encode(self, job_id: uuid.UUID, value: object, started: float) -> Returned | Raised:
        try:
            subject = Subject(job_id, self.name)
            result = self.codec.encode_result(subject, value, fn=self.task.fn)
        except PayloadError as error:
            return self._raised(error, started, is_final=True)
        return Returned(result, time.monotonic() - started)


class AsyncRunner(Runner):
    """The same for a coroutine function: a call that pools run on an event loop."""

    async def __call__(  # type: ignore[override]
        self, job_id: uuid.UUID, number: int, payload: bytes
    ) -> Returned | Raised:
        """Run one attempt; see Runner. Only being cancelled is not described: the pool says why."""
        started = time.monotonic()
        try:
            subject = Subject(job_id, self.name)
            args, kwargs = self.codec.decode_call(subject, payload, self.task.fn)
        except PayloadError as error:
            return self._raised(error, started, is_final=True)
        enter(_current_attempt(job_id, number))
        try:
            value = await self.task.fn(*args, **kwargs)
        except BaseException as error:
            if _is_being_cancelled():
                raise
            return self._raised(error, started, is_final=False)
        return self._encode(job_id, value, started)


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


def _current_attempt(job_id: uuid.UUID, number: int) -> Current:
    call = current()
    return Current(
        call.worker, call._report, call._is_cancelled, job_id=str(job_id), attempt=number
    )
