"""Rows: between what a database keeps and the nouns of model.py and views.py.

Pure. A row may be damaged (a foreign program, a bad disk): what a worker is to
run is decoded strictly and raises CorruptRow; what a person looks at is decoded
as far as it goes, because a listing that shows nothing helps nobody.
"""

import dataclasses
import functools
import math
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from lightwork.errors import StoreError, UsageError
from lightwork.model import ANY_TASK, Attempt, ErrorInfo, JobOutcome, Policy, Progress, State
from lightwork.store.tables.types import LARGEST, id_of
from lightwork.store.views import AttemptView, JobView, LimitView, UniqueView, WorkerView
from lightwork.tasks.resting import read_resting
from lightwork.tasks.task import check_policy

# SQLAlchemy 2.0 and 2.1 type rows differently; the columns are those of the statements.
AnyRow: TypeAlias = Any

MAX_ERROR_TEXT: Final = 10_000
MAX_TRACEBACK: Final = 100_000
MAX_NOTE: Final = 1_000
_LARGEST_SIZE: Final = 2**63 - 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DEFAULTS: Final = Policy()
_ANY: Final = msgspec.json.encode([ANY_TASK])
# What columns of their own say, the claim's order among them.
_COLUMNS: Final = frozenset({"queue", "priority", "at", "unique", "limit", "tags", "headers"})


class CorruptRow(ValueError):  # noqa: N818 - the name that the job's error shows
    """A stored job does not hold what lightwork writes."""


def milliseconds(seconds: float) -> int:
    """Return a duration as the store counts it; never shorter than asked.

    Raises:
        OverflowError: There is no end of it, or it is no number.
    """
    try:
        return math.ceil(seconds * 1000)
    except ValueError as error:
        raise OverflowError(str(error)) from error


def milliseconds_of(instant: datetime) -> int:
    """Return an instant as the store counts it; the first of all for one before 1970."""
    return max(milliseconds((instant - _EPOCH).total_seconds()), 1)


@functools.lru_cache(maxsize=1024)
def policy_text(policy: Policy) -> str:
    """Return JSON of what differs from the default policy; "" if nothing does."""
    changes = {
        known.name: value
        for known in dataclasses.fields(Policy)
        if known.name not in _COLUMNS
        and (value := getattr(policy, known.name)) != getattr(_DEFAULTS, known.name)
    }
    return msgspec.json.encode(changes).decode() if changes else ""


@functools.lru_cache(maxsize=1024)
def policy_of(text: Any, queue: Any, priority: Any) -> Policy:
    """Return the policy of a row.

    Raises:
        CorruptRow: The text is not what policy_text makes.
    """
    if not isinstance(queue, str) or not isinstance(priority, int):
        raise CorruptRow(f"the stored queue and priority are {queue!r:.100} and {priority!r:.100}")
    try:
        policy = msgspec.json.decode(text, type=Policy) if text else _DEFAULTS
        policy = dataclasses.replace(policy, queue=queue, priority=priority)
        # As where a task is declared: a row may come from anybody.
        check_policy(policy)
    except (ValueError, TypeError, UsageError) as error:
        raise CorruptRow(f"the stored policy cannot be read: {error}") from error
    return policy


def attempt_of(row: AnyRow) -> Attempt:
    """Return what a row asks to be run that was claimed, as lanes.NEXT selects it.

    Raises:
        CorruptRow: It cannot be told.
    """
    # By their places, and looked at together: there is one for every job.
    _, _, now, _, seq, job_id, number, task, payload, policy, queue, priority, *more = row
    failures, crashes, ties, since, headers = more
    is_sound = (
        type(job_id) is bytes
        and len(job_id) == 16
        and type(payload) is bytes
        and type(task) is str
        and type(policy) is str
        and type(number) is type(failures) is type(crashes) is type(ties) is int
        and number < LARGEST
    )
    if not is_sound:
        _check(job_id, payload, (task, policy), number, (failures, crashes, ties))
    return Attempt(
        # A third of what UUID(bytes=...) takes.
        job_id=msgspec.convert(job_id, uuid.UUID),
        seq=seq,
        number=number,
        task=task,
        payload=payload,
        policy=policy_of(policy, queue, priority),
        failures=failures,
        crashes=crashes,
        ties=ties,
        waited=max(now - since, 0) / 1000 if type(since) is int else now / 1000,
        headers=headers_of(headers) if headers else (),
    )


def _check(
    job_id: Any, payload: Any, texts: Sequence[Any], number: Any, counters: Sequence[Any]
) -> None:
    """Say what is wrong with a claimed row."""
    if not isinstance(job_id, bytes) or len(job_id) != 16:
        raise CorruptRow(f"the stored id is not 16 bytes: {job_id!r:.100}")
    if not isinstance(payload, bytes):
        raise CorruptRow(f"the stored payload is {type(payload).__name__}, not bytes")
    if not all(isinstance(text, str) for text in texts):
        raise CorruptRow("the stored task or policy is not text")
    check_numbers(number, *counters)
    if number >= LARGEST:
        raise CorruptRow(f"the stored number of attempts is {number}, and can grow no more")


def headers_text(headers: tuple[tuple[str, str], ...]) -> str | None:
    """Return headers as a job's row holds them."""
    return msgspec.json.encode(dict(headers)).decode() if headers else None


def headers_of(stored: Any) -> tuple[tuple[str, str], ...]:
    """Return the headers of a row; of a damaged one none: they are no reason to run it or not."""
    try:
        return tuple(msgspec.json.decode(stored, type=dict[str, str]).items())
    except (TypeError, ValueError):
        return ()


def check_numbers(*counters: Any) -> None:
    """Raise unless a row's counters are numbers.

    Raises:
        CorruptRow: One is not.
    """
    for counter in counters:
        if not isinstance(counter, int):
            raise CorruptRow(f"a stored counter is not a number: {counter!r:.100}")


class OutcomeRow(NamedTuple):
    """The end of a job, as jobs.END_OF selects it."""

    id: uuid.UUID
    state: Any
    attempt: Any
    result: Any
    error_type: Any
    error_text: Any
    traceback: Any


def outcome_row(values: Sequence[Any]) -> OutcomeRow:
    """Return a row that came past SQLAlchemy; the statement lets final states through only."""
    return OutcomeRow(id_of(values[0]), State(values[1]), *values[2:])


def outcome_of(row: AnyRow, job_id: uuid.UUID) -> JobOutcome:
    """Return the recorded end of a job, which is finished."""
    return JobOutcome(
        job_id=job_id,
        state=row.state,
        attempt=number_of(row.attempt),
        # Of another type it cannot be decoded either, which its future then says.
        result=_bytes_of(row.result or b""),
        error=_error_of(row),
    )


def job_view(
    row: AnyRow,
    *,
    tags: tuple[str, ...],
    limits: tuple[LimitView, ...],
    unique: UniqueView | None,
) -> JobView:
    """Return a job as it is shown; what it has beside its row is read apart (admin/tied.py).

    Raises:
        StoreError: The row holds no known state.
    """
    return JobView(
        id=id_of(row.id),
        seq=row.seq,
        task=text_of(row.task),
        queue=text_of(row.queue),
        priority=number_of(row.priority),
        state=shown_state(row.state, row.seq),
        attempt=number_of(row.attempt),
        failures=number_of(row.failures),
        crashes=number_of(row.crashes),
        losses=number_of(row.losses),
        policy=_shown_policy(row),
        created_at=instant(row.created_at),
        due_at=_maybe_instant(row.due_at),
        expires_at=_maybe_instant(row.expires_at),
        headers=dict(headers_of(row.headers)),
        tags=tags,
        limits=limits,
        unique=unique,
        started_at=_maybe_instant(row.started_at),
        finished_at=_maybe_instant(row.finished_at),
        worker=id_of(row.worker) if row.worker is not None else None,
        has_begun=row.state == State.RUNNING and bool(row.begun),
        cancel_requested=bool(row.cancel_requested),
        payload_size=row.payload_size or 0,
        result_size=row.result_size or 0,
        error=_error_of(row),
        progress=Progress(
            done=_float_of(row.progress_done),
            total=_float_of(row.progress_total),
            note=text_of(row.progress_note),
        ),
    )


def attempt_view(job_id: uuid.UUID, row: AnyRow) -> AttemptView:
    """Return an ended attempt as it is shown."""
    return AttemptView(
        job_id=job_id,
        number=number_of(row.number),
        worker=row.worker,
        started_at=instant(row.started_at),
        ended_at=instant(row.ended_at),
        outcome=text_of(row.outcome),
        error=_error_of(row),
        signal=_maybe_number(row.signal),
        peak_memory=_maybe_number(row.peak_memory),
    )


def worker_view(row: AnyRow) -> WorkerView:
    """Return a worker as it is shown."""
    # A worker of an earlier lightwork does not say.
    tasks, resting = read_resting(_names_of(row.tasks or _ANY))
    return WorkerView(
        id=row.id,
        name=text_of(row.name),
        host=text_of(row.host),
        pid=number_of(row.pid),
        slots=number_of(row.slots),
        queues=_names_of(row.queues),
        tasks=tasks,
        resting=resting,
        state=text_of(row.state),
        started_at=instant(row.started_at),
        heartbeat_at=instant(row.heartbeat_at),
        lease_until=instant(row.lease_until),
        is_live=bool(row.is_live),
        running=row.running,
    )


def error_values(error: ErrorInfo) -> dict[str, str]:
    """Return an error as parameters of a statement, bounded and storable."""
    return {
        "b_error_type": storable(error.type, 500),
        "b_error_text": storable(error.text, MAX_ERROR_TEXT),
        "b_traceback": _last_part(error.traceback, MAX_TRACEBACK),
    }


def child_values(error: ErrorInfo) -> dict[str, int | None]:
    """Return what an error says of its attempt's child, as parameters of a statement."""
    return {
        "b_signal": _within(error.signal, LARGEST),
        "b_peak_memory": _within(error.peak_memory, _LARGEST_SIZE),
    }


def storable(text: str, limit: int) -> str:
    """Return text that every database takes, its end cut off with a note if it is too long."""
    clean = _clean(text)
    if len(clean) <= limit:
        return clean
    note = f" ... [{len(clean)} characters, the rest was not kept]"
    return clean[: limit - len(note)] + note


def finite(number: float) -> float:
    """Return the number, or 0 where SQL has no word for it."""
    return float(number) if math.isfinite(number) else 0.0


def instant(milliseconds: Any) -> datetime:
    """Return milliseconds of the database clock as an aware UTC datetime; 1970 if damaged."""
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except (TypeError, OverflowError):
        return _EPOCH


def text_of(stored: Any) -> str:
    """Return text for the eye, whatever is stored."""
    return stored if isinstance(stored, str) else repr(stored)[:MAX_NOTE]


def number_of(stored: Any) -> int:
    """Return a number for the eye, 0 for what is none."""
    return stored if isinstance(stored, int) else 0


def shown_state(word: str, seq: int) -> State:
    """Return the state that a word means.

    Raises:
        StoreError: None.
    """
    try:
        return State(word)
    except ValueError:
        raise StoreError(
            f"job {seq} (seq) has the unknown state {word!r:.100}; run `lightwork db check`"
        ) from None


def _last_part(text: str, limit: int) -> str:
    # A traceback ends with what matters.
    clean = _clean(text)
    if len(clean) <= limit:
        return clean
    note = f"[{len(clean)} characters, the start was not kept] ...\n"
    return note + clean[len(note) - limit :]


def _clean(text: str) -> str:
    # Lone surrogates cannot be encoded; PostgreSQL takes no NUL.
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")


def _shown_policy(row: AnyRow) -> Policy:
    try:
        return policy_of(row.policy, row.queue, row.priority)
    except CorruptRow:
        return _DEFAULTS


def _error_of(row: AnyRow) -> ErrorInfo | None:
    if row.error_type is None:
        return None
    return ErrorInfo(
        type=text_of(row.error_type),
        text=text_of(row.error_text or ""),
        traceback=text_of(row.traceback or ""),
    )


def _within(number: int | None, largest: int) -> int | None:
    """Return a number that fits into its column; of one that does not nobody knows what it means."""
    return number if number is not None and 0 < number <= largest else None


def _names_of(stored: Any) -> tuple[str, ...]:
    try:
        return tuple(msgspec.json.decode(stored, type=list[str]))
    except (ValueError, TypeError):
        return ()


def _float_of(stored: Any) -> float:
    return finite(stored) if isinstance(stored, int | float) else 0.0


def _bytes_of(stored: Any) -> bytes:
    return stored if isinstance(stored, bytes) else str(stored).encode("utf-8", "replace")


def _maybe_number(stored: Any) -> int | None:
    return stored if isinstance(stored, int) else None


def _maybe_instant(stored: Any) -> datetime | None:
    return None if stored is None else instant(stored)
