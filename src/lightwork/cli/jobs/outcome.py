"""Outcome: a recorded end, in words.

A result that travelled as a pickle is loaded only by who asks for it with the
key at hand; a look at a job never loads one.
"""

import json as json_text
from typing import Any

from lightwork.codec import Codec, Subject
from lightwork.durable.outcome_watch import job_failed
from lightwork.errors import JobCancelled, PayloadError
from lightwork.model import JobOutcome, State
from lightwork.terminal.output import plain, printable, shown


def raise_unless_succeeded(outcome: JobOutcome) -> None:
    """Raise what a future of the job would.

    Raises:
        JobFailed: It failed; the text holds the traceback.
        JobCancelled: It was cancelled.
    """
    if outcome.state is State.CANCELLED:
        job_id = str(outcome.job_id)
        raise JobCancelled(f"job {job_id} was cancelled", job_id=job_id)
    if outcome.state is State.FAILED:
        raise job_failed(outcome)


def result_text(outcome: JobOutcome, *, task: str = "", authkey: bytes = b"") -> str:
    """Return what a job returned, for people: text as it is, else JSON, else its repr.

    Args:
        outcome: Of a job that succeeded.
        task: Its task's name, which counts only where there is a key.
        authkey: With which a pickle is verified.

    Raises:
        PayloadError: It cannot be read without a key, or with this one.
    """
    value = _value(outcome, task, authkey)
    if isinstance(value, str):
        return printable(value)
    try:
        return json_text.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError):
        return printable(shown(value))


def result_fields(outcome: JobOutcome, *, task: str = "", authkey: bytes = b"") -> dict[str, Any]:
    """Return `result` as JSON holds it, or what there is in its place."""
    if outcome.error is not None:
        return {"error": {"type": outcome.error.type, "text": outcome.error.text}}
    if outcome.state is not State.SUCCEEDED:
        return {}
    try:
        value = _value(outcome, task, authkey)
        return {"result": plain(value)}
    except PayloadError as error:
        return {"result": None, "result_problem": str(error)}


def _value(outcome: JobOutcome, task: str, authkey: bytes) -> Any:
    subject = Subject(outcome.job_id, task)
    return Codec(authkey=authkey).decode_result(subject, outcome.result)
