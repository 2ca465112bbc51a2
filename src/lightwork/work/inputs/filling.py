"""Filling: a call and the outcomes it gets become values, in the child that runs it."""

from collections.abc import Callable
from typing import Any, NamedTuple

from lightwork import errors
from lightwork.codec import Codec, Subject
from lightwork.codec.references import with_results
from lightwork.errors import JobError, JobFailed, PayloadError
from lightwork.model import ErrorInfo, JobOutcome, State

Call = tuple[tuple[Any, ...], dict[str, Any]]


class Input(NamedTuple):
    """The outcome of a job, for a call that was submitted with its future.

    Attributes:
        task: Of the job, as its row names it.
        fn: Its function, whose annotations say how its result is read; None: the worker
            knows no such task.
    """

    outcome: JobOutcome
    task: str
    fn: Callable[..., Any] | None


class Payload(bytes):
    """The payload of a call, on its way to a child with what the call gets from other jobs."""

    inputs: tuple[Input, ...] = ()


def decoded_call(
    codec: Codec, subject: Subject, payload: bytes, fn: Callable[..., Any] | None
) -> Call:
    """Return the call of a payload, which may have its inputs with it.

    Raises:
        PayloadError: It, or one of these, cannot be read here.
    """
    args, kwargs = codec.decode_call(subject, payload, fn)
    if not isinstance(payload, Payload):
        return args, kwargs
    return with_results(
        args, kwargs, {one.outcome.job_id: _value(codec, one) for one in payload.inputs}
    )


def _value(codec: Codec, one: Input) -> Any:
    outcome = one.outcome
    if outcome.state is not State.SUCCEEDED:
        return _error(outcome)
    try:
        return codec.decode_result(Subject(outcome.job_id, one.task), outcome.result, fn=one.fn)
    except PayloadError as error:
        raise PayloadError(
            f"the result of job {outcome.job_id} of {one.task} cannot be an argument here: {error}"
        ) from error


def _error(outcome: JobOutcome) -> JobError:
    """Return what a call gets that runs although the job has failed."""
    job_id = str(outcome.job_id)
    if outcome.state is State.CANCELLED:
        return errors.JobCancelled(f"job {job_id} was cancelled", job_id=job_id)
    error = outcome.error or ErrorInfo(type="Unknown", text="no error was recorded")
    return JobFailed(
        f"job {job_id} failed in attempt {outcome.attempt}: {error.type}: {error.text}",
        job_id=job_id,
        error_type=error.type,
        error_text=error.text,
        traceback=error.traceback,
        attempts=outcome.attempt,
    )
