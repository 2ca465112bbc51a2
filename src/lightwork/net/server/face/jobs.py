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
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl

import msgspec

from lightwork.bounds.submitted import check_task_name
from lightwork.codec import Codec, Subject
from lightwork.errors import JobNotFound, PayloadError, UsageError
from lightwork.model import NewJob, Policy, Progress, State
from lightwork.net.server.calls import Calls, decoded
from lightwork.net.server.request import Caller, Reply, Request
from lightwork.net.server.routes import Answerer, Route
from lightwork.net.wire.methods import READERS
from lightwork.store.contract import Store, WhenRunning
from lightwork.store.views import JobView, KnownCall, LimitView, UniqueView
from lightwork.tasks.task import make_policy

Perform = Callable[[Store, Request, Mapping[str, str]], Any]

_MOST_LISTED: Final = 1000
_Listed = Annotated[int, msgspec.Meta(ge=1, le=_MOST_LISTED)]
_Seq = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
# Which part of a query is meant, as msgspec says it.
_PART: Final = re.compile(r" - at `\$\.(\w+)`\Z")
# Of what is submitted here, what a policy says too.
_OPTIONS: Final = ("queue", "priority", "retries", "timeout", "delay", "expires", "tags", "headers")

# Only said to who reads the document: what is out of bounds is refused with the policy, in better words.
_Priority = Annotated[
    int, msgspec.Meta(extra_json_schema={"minimum": 1 - 2**31, "maximum": 2**31 - 1})
]
_Retries = Annotated[int, msgspec.Meta(extra_json_schema={"minimum": 0, "maximum": 2**31 - 1})]
_Seconds = Annotated[
    float, msgspec.Meta(extra_json_schema={"minimum": 0, "exclusiveMaximum": 10**9})
]


class Submission(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A job to be kept; with an id of one's own, a repeat is harmless."""

    task: str
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    id: uuid.UUID | None = None
    after: list[uuid.UUID] = []
    queue: str | None = None
    priority: _Priority | None = None
    retries: _Retries | None = None
    timeout: _Seconds | None = None
    delay: _Seconds | None = None
    expires: _Seconds | None = None
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
    limit: _Listed = 50
    before: _Seq | None = None


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
    known: dict[uuid.UUID, KnownCall] = {}
    (is_new,) = store.submit([job], known=known if said.id is not None else None)
    for kept in known.values():
        _check_same(job, kept)
    return SubmittedJob(job.id, is_new)


def _check_same(job: NewJob, kept: KnownCall) -> None:
    """Refuse a job whose id is that of another call, as it is refused in Python.

    Raises:
        UsageError: It is; nothing was submitted.
    """
    before, now = _call_in_json(job.id, kept), _call_in_json(job.id, job)
    if kept.task != job.task or (before and now and before != now):
        raise UsageError(
            f"id {job.id} belongs to another call: the job of this id is {kept.task} {before:.300}, and {job.task} "
            f"{now:.300} was asked for; nothing was submitted. Give each call an id of its own"
        )


def _call_in_json(job_id: uuid.UUID, call: NewJob | KnownCall) -> str:
    """Return the arguments, "" if they cannot be compared: pickles, results of others, what JSON has nothing for."""
    try:
        found = Codec().decode_call(Subject(job_id, call.task), call.payload)
        return msgspec.json.encode(found, order="deterministic").decode()
    except (PayloadError, TypeError, ValueError):
        return ""


def _list(store: Store, request: Request, _: Mapping[str, str]) -> Jobs:
    said = _listing(request)
    views = store.jobs(
        state=said.state,
        task=said.task,
        queue=said.queue,
        tag=said.tag,
        limit=said.limit,
        before_seq=said.before,
    )
    is_full = len(views) == said.limit
    return Jobs([_shown(view) for view in views], views[-1].seq if is_full else None)


def _listing(request: Request) -> Listing:
    """Return what the query says.

    Raises:
        UsageError: One of its parts makes no sense; the text says what was expected and seen.
    """
    # Blank ones too: who says `limit=` has meant something.
    parts = dict(parse_qsl(request.query, keep_blank_values=True))
    try:
        said = msgspec.convert(parts, Listing, strict=False)
    except msgspec.ValidationError as error:
        wrong = str(error)
        if (part := _PART.search(wrong)) is not None:
            name, wrong = part[1], wrong[: part.start()]
            wrong = f"{name}: {wrong}; seen: {parts[name]!r:.100}"
        raise UsageError(f"{request.path}: {wrong}") from error
    for text in (said.task, said.queue, said.tag):
        if text is not None and not (text and text.isprintable()):
            raise UsageError(
                f"{request.path}: {text!r:.100} is no printable text, so nothing has it"
            )
    return said


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
