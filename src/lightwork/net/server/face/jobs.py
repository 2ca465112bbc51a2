"""Jobs for other languages: submit by the task's name, look, cancel, read the result; all of it plain JSON.

    POST /v1/jobs                submit {task, args, kwargs, ...}
    GET  /v1/jobs                list, newest first
    GET  /v1/jobs/{id}           look
    GET  /v1/jobs/{id}/result    what it returned, once it has
    POST /v1/jobs/{id}/cancel    cancel

A server knows no task: what a task declares about its jobs counts only where it is submitted by Python, so
whoever submits here says it. Pickles are never loaded: a result that is one is told to be.
"""

import functools
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from lightwork.bounds.submitted import check_task_name
from lightwork.codec import Codec, Subject
from lightwork.errors import JobNotFound, UsageError
from lightwork.model import NewJob, Policy, Progress, State
from lightwork.net.server.calls import Calls, decoded
from lightwork.net.server.request import Caller, Reply, Request
from lightwork.net.server.routes import Answerer, Route
from lightwork.net.wire.methods import READERS
from lightwork.store.contract import Store, WhenRunning
from lightwork.store.views import JobView, LimitView, UniqueView
from lightwork.tasks.task import make_policy

Perform = Callable[[Store, Request, Mapping[str, str]], Any]

_MOST_LISTED: Final = 1000
# Of what is submitted here, what a policy says too.
_OPTIONS: Final = ("queue", "priority", "retries", "timeout", "delay", "expires", "tags", "headers")


class Submission(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A job to be kept; with an id of one's own, a repeat is harmless."""

    task: str
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    id: uuid.UUID | None = None
    after: list[uuid.UUID] = []
    queue: str | None = None
    priority: int | None = None
    retries: int | None = None
    timeout: float | None = None
    delay: float | None = None
    expires: float | None = None
    tags: list[str] | None = None
    headers: dict[str, str] | None = None


class SubmittedJob(msgspec.Struct, frozen=True):
    """The job that is kept; not new: it was there under this id."""

    id: uuid.UUID
    is_new: bool


class Cancelling(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is done to a job that runs: nothing, or it is asked to stop, or killed."""

    running: WhenRunning = "ask"


class JobState(msgspec.Struct, frozen=True):
    """Where a job is now."""

    id: uuid.UUID
    state: State


class JobError(msgspec.Struct, frozen=True):
    """Why a job failed."""

    type: str
    text: str


class ShownJob(msgspec.Struct, frozen=True):
    """A job as it is looked at."""

    id: uuid.UUID
    seq: int
    task: str
    queue: str
    priority: int
    state: State
    attempt: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    tags: tuple[str, ...]
    limits: tuple[LimitView, ...]
    unique: UniqueView | None
    progress: Progress
    error: JobError | None


class Jobs(msgspec.Struct, frozen=True):
    """Jobs, newest first; `next`: ask again with `before` for those below, None: there are none."""

    jobs: list[ShownJob]
    next: int | None


class Result(msgspec.Struct, frozen=True, omit_defaults=True):
    """What has become of a job; `result` counts once it has succeeded."""

    id: uuid.UUID
    state: State
    result: Any = None
    error: JobError | None = None


class Listing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which jobs are listed."""

    state: State | None = None
    task: str | None = None
    queue: str | None = None
    tag: str | None = None
    limit: int = 50
    before: int | None = None


def job_routes(calls: Calls) -> Iterator[Route]:
    """Yield the routes."""
    look, change = functools.partial(_looked, calls), functools.partial(_changed, calls)
    yield Route(
        method="POST",
        path="/v1/jobs",
        roles=("submit",),
        answer=change(_submit),
        request=Submission,
        result=SubmittedJob,
        summary="Keep a job.",
        is_once=True,
    )
    yield Route(
        method="GET",
        path="/v1/jobs",
        roles=("view",),
        answer=look(_list),
        result=Jobs,
        summary="List jobs, newest first.",
        query=Listing,
    )
    yield Route(
        method="GET",
        path="/v1/jobs/{id}",
        roles=READERS,
        answer=look(_look),
        result=ShownJob,
        summary="Look at a job.",
    )
    yield Route(
        method="GET",
        path="/v1/jobs/{id}/result",
        roles=READERS,
        answer=look(_result),
        result=Result,
        summary="What a job returned, or why it failed.",
    )
    yield Route(
        method="POST",
        path="/v1/jobs/{id}/cancel",
        roles=("submit",),
        answer=change(_cancel),
        request=Cancelling,
        result=JobState,
        summary="Cancel a job.",
        is_once=True,
    )


def _looked(calls: Calls, perform: Perform) -> Answerer:
    async def answer(request: Request, _: Caller, found: Mapping[str, str]) -> Reply:
        return await calls.reply(request, lambda: perform(calls.store, request, found))

    return answer


def _changed(calls: Calls, perform: Perform) -> Answerer:
    async def answer(request: Request, caller: Caller, found: Mapping[str, str]) -> Reply:
        return await calls.once(request, caller, lambda: perform(calls.store, request, found))

    return answer


def _submit(store: Store, request: Request, _: Mapping[str, str]) -> SubmittedJob:
    said: Submission = decoded(request, Submission)
    check_task_name(said.task)
    options = {name: value for name in _OPTIONS if (value := getattr(said, name)) is not None}
    # One of version 7 would be cheaper to index: whoever submits many makes their own.
    subject = Subject(said.id or uuid.uuid4(), said.task)
    job = NewJob(
        id=subject.job_id,
        task=said.task,
        payload=Codec().encode_call(subject, tuple(said.args), said.kwargs),
        policy=make_policy(Policy(), **options),
        after=tuple(said.after),
    )
    (is_new,) = store.submit([job])
    return SubmittedJob(job.id, is_new)


def _list(store: Store, request: Request, _: Mapping[str, str]) -> Jobs:
    try:
        said = msgspec.convert(dict(parse_qsl(request.query)), Listing, strict=False)
    except msgspec.ValidationError as error:
        raise UsageError(f"{request.path}: {error}") from error
    for text in (said.task, said.queue, said.tag):
        if text is not None and not text.isprintable():
            raise UsageError(
                f"{request.path}: {text!r:.100} is no printable text, so nothing has it"
            )
    limit = min(max(said.limit, 1), _MOST_LISTED)
    views = store.jobs(
        state=said.state,
        task=said.task,
        queue=said.queue,
        tag=said.tag,
        limit=limit,
        before_seq=said.before,
    )
    return Jobs([_shown(view) for view in views], views[-1].seq if len(views) == limit else None)


def _look(store: Store, _: Request, found: Mapping[str, str]) -> ShownJob:
    return _shown(_view(store, found))


def _result(store: Store, _: Request, found: Mapping[str, str]) -> Result:
    view = _view(store, found)
    outcome = store.outcomes([view.id]).get(view.id)
    if outcome is None:
        return Result(view.id, view.state)
    if outcome.error is not None:
        error = JobError(outcome.error.type, outcome.error.text)
        return Result(view.id, outcome.state, error=error)
    if outcome.state is not State.SUCCEEDED:
        return Result(view.id, outcome.state)
    # Without a key: what is pickled is refused, and says so.
    value = Codec().decode_result(Subject(view.id, view.task), outcome.result)
    return Result(view.id, outcome.state, _in_json(value))


def _cancel(store: Store, request: Request, found: Mapping[str, str]) -> JobState:
    said: Cancelling = decoded(request, Cancelling)
    view = _view(store, found)
    return JobState(view.id, store.cancel([view.id], running=said.running)[view.id])


def _view(store: Store, found: Mapping[str, str]) -> JobView:
    try:
        job_id = uuid.UUID(found["id"])
    except ValueError as error:
        raise UsageError(f"a job id is a UUID; seen: {found['id']:.100}") from error
    view = store.job(job_id)
    if view is None:
        raise JobNotFound(f"no job {job_id}; it was never submitted here, or it has been pruned")
    return view


def _shown(view: JobView) -> ShownJob:
    error = JobError(view.error.type, view.error.text) if view.error is not None else None
    return ShownJob(
        id=view.id,
        seq=view.seq,
        task=view.task,
        queue=view.queue,
        priority=view.priority,
        state=view.state,
        attempt=view.attempt,
        created_at=view.created_at,
        started_at=view.started_at,
        finished_at=view.finished_at,
        tags=view.tags,
        limits=view.limits,
        unique=view.unique,
        progress=view.progress,
        error=error,
    )


def _in_json(value: Any) -> Any:
    """Return the value as JSON has it.

    Raises:
        UsageError: JSON has nothing for it, such as a complex number.
    """
    try:
        return msgspec.to_builtins(value, str_keys=True)
    except (TypeError, ValueError) as error:
        raise UsageError(f"the result cannot be said in JSON: {error}") from error
