"""`lightwork jobs show`: all that the store knows about a job."""

import dataclasses
import signal
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from lightwork.cli.jobs.names import JobName, find_jobs, targets_argument
from lightwork.tasks.names import origin_of, short_name
from lightwork.terminal.amounts import show_duration, show_size
from lightwork.terminal.options import output_options
from lightwork.terminal.output import (
    STATE_COLOURS,
    first_line,
    make_console,
    one_line,
    plain_view,
    print_json,
    printable,
    seconds_since,
)

if TYPE_CHECKING:
    from lightwork.model import JobOutcome, Policy
    from lightwork.store.contract import Store
    from lightwork.store.views import AttemptView, JobView, LimitView, Relatives, UniqueView

_LABEL_WIDTH = 11
# Bytes of arguments that are read.
SHOWN = 65_536
# What stands for itself in a job that is kept; its policy has nothing of it.
_NOT_OF_POLICIES = ("unique", "limit", "tags", "headers")
Field = tuple[str, str]


@click.command()
@targets_argument
@output_options
def show(*, url: str, names: list[JobName], json: bool, quiet: bool) -> None:
    """Show jobs with their arguments, attempts, errors and results."""
    from lightwork.net.opening import open_store

    with closing(open_store(url, create=False)) as store:
        for number, job_id in enumerate(find_jobs(store, names)):
            if number and not json:
                click.echo()
            _show_one(store, job_id, json=json, quiet=quiet)


def _show_one(store: "Store", job_id: UUID, *, json: bool, quiet: bool) -> None:
    from lightwork.cli.jobs.because import look_around, why_waiting
    from lightwork.cli.jobs.waiting import refuse_unknown

    view = store.job(job_id)
    if view is None:
        refuse_unknown(store, [job_id])
        return
    attempts = store.attempts(job_id)
    # By name, as people call them; one that is long dead may be forgotten.
    names = {one.id: one.name for one in store.workers(include_dead=True)} if attempts else {}
    outcome = store.outcomes([job_id]).get(job_id)
    payload = store.payloads([job_id], largest=SHOWN).get(job_id, b"")
    relatives = store.relatives(job_id)
    around = look_around(store, [view])
    because = why_waiting(view, around, relatives) if around else ""
    if json:
        document = _document(view, payload, attempts, outcome, names)
        print_json(document | {"waiting_because": because or None} | plain_view(relatives))
    elif quiet:
        click.echo(view.state)
    else:
        _print_fields(_fields(view, payload, outcome, because))
        _print_fields(_family(relatives))
        _print_attempts(attempts, names)
        _print_traceback(view, attempts)


def _document(
    view: "JobView",
    payload: bytes,
    attempts: "list[AttemptView]",
    outcome: "JobOutcome | None",
    names: "Mapping[Any, str]",
) -> dict[str, Any]:
    from lightwork.cli.jobs.arguments import argument_fields, arguments_text
    from lightwork.cli.jobs.outcome import result_fields

    document: dict[str, Any] = plain_view(view)
    for name in _NOT_OF_POLICIES:
        document["policy"].pop(name)
    document |= {
        "attempts": [
            plain_view(attempt) | {"worker_name": names.get(attempt.worker)} for attempt in attempts
        ]
    }
    document["arguments"] = arguments_text(view.id, payload, view.payload_size)
    document |= argument_fields(view.id, payload)
    if outcome is not None and outcome.state == "succeeded":
        document |= result_fields(outcome)
    return document


def _fields(
    view: "JobView", payload: bytes, outcome: "JobOutcome | None", because: str
) -> Iterator[Field]:
    from lightwork.cli.jobs.arguments import arguments_text

    yield "id", f"{view.seq}, {view.id}"
    yield "state", view.state
    if because:
        yield "waiting", f"because {one_line(because)}"
    yield "task", one_line(short_name(view.task))
    if origin := origin_of(view.task):
        yield "of", one_line(origin)
    yield "arguments", arguments_text(view.id, payload, view.payload_size)
    yield "queue", f"{one_line(view.queue)}, priority {view.priority}"
    yield from _ties(view)
    counts = f"{_count(view.failures, 'failure')}, {_count(view.crashes, 'crash')}"
    if view.losses:
        counts += f", {view.losses} lost before they had begun"
    yield "attempt", f"{view.attempt} ({counts})"
    yield from _instants(view)
    if view.worker is not None:
        yield "worker", str(view.worker)
    if view.cancel_requested:
        yield "stop", "asked"
    if policy := _policy_text(view.policy):
        yield "policy", policy
    progress = view.progress
    if progress.done or progress.note:
        of_total = f" of {progress.total:g}" if progress.total else ""
        yield "progress", f"{progress.done:g}{of_total} {progress.note}".rstrip()
    if outcome is not None and outcome.state == "succeeded":
        yield "result", _result(outcome)
    if view.error is not None:
        yield "error", f"{one_line(view.error.type)}: {view.error.text}"


def _ties(view: "JobView") -> Iterator[Field]:
    """Say by what it can be found, and what may keep it from being run, or kept."""
    if view.tags:
        yield "tags", ", ".join(map(one_line, view.tags))
    if view.limits:
        yield "limits", "\n".join(map(_limit_text, view.limits))
    if view.unique is not None:
        yield "unique", _unique_text(view.unique)


def _limit_text(limit: "LimitView") -> str:
    most = [f"{limit.running} at a time"] if limit.running else []
    if limit.rate:
        most.append(f"{limit.rate:g} a second, {limit.burst:g} at once")
    waits = ["waits for room"] if limit.waits else []
    return f"{one_line(limit.key)}: {', '.join([*most, *waits])}"


def _unique_text(unique: "UniqueView") -> str:
    until = {"begin": "until it begins", "end": "until it ends", "period": "for a period"}
    held = f"held {until[unique.until]}" if unique.is_held else "not held any more"
    return f"{unique.key} {held}".lstrip()


def _family(relatives: "Relatives") -> Iterator[Field]:
    """Say what it was submitted after, and what after it."""
    for label, found, count in (
        ("after", relatives.parents, relatives.parent_count),
        ("before", relatives.children, relatives.child_count),
    ):
        lines = [f"{one.id} {one_line(short_name(one.task))} {one.state}" for one in found]
        if count > len(found):
            lines.append(f"and {count - len(found)} more")
        if lines:
            yield label, "\n".join(lines)


def _count(number: int, word: str) -> str:
    plural = "es" if word.endswith("sh") else "s"
    return f"{number} {word}{'' if number == 1 else plural}"


def _instants(view: "JobView") -> Iterator[Field]:
    for label, instant in (
        ("submitted", view.created_at),
        ("due", view.due_at),
        ("started", view.started_at),
        ("finished", view.finished_at),
    ):
        if instant is not None:
            age = seconds_since(instant)
            when = f"in {show_duration(-age)}" if age < 0 else f"{show_duration(age)} ago"
            yield label, f"{instant:%Y-%m-%d %H:%M:%S} UTC, {when}"


def _policy_text(policy: "Policy") -> str:
    start = dataclasses.asdict(type(policy)())
    return ", ".join(
        f"{name}={value!r}"
        for name, value in dataclasses.asdict(policy).items()
        if name not in {"queue", "priority"} and value != start[name]
    )


def _result(outcome: "JobOutcome") -> str:
    from lightwork.cli.jobs.outcome import result_text
    from lightwork.errors import PayloadError

    try:
        return result_text(outcome)
    except PayloadError as error:
        return f"{len(outcome.result)} bytes, not shown: {error}"


def _print_fields(fields: Iterator[Field]) -> None:
    from rich.text import Text

    console = make_console()
    for label, value in fields:
        style = STATE_COLOURS[value] if label == "state" else ""
        # Lines after the first stand below the first one's value.
        shown = printable(value).replace("\n", "\n" + " " * _LABEL_WIDTH)
        line = Text.assemble((label.ljust(_LABEL_WIDTH), "bold"), (shown, style))
        console.print(line, soft_wrap=True)


def _print_attempts(attempts: "list[AttemptView]", names: "Mapping[Any, str]") -> None:
    for attempt in attempts:
        took = show_duration((attempt.ended_at - attempt.started_at).total_seconds())
        error = attempt.error
        why = f" {one_line(error.type)}: {first_line(error.text)}" if error else ""
        at = f"{attempt.started_at:%H:%M:%S}"
        name = names.get(attempt.worker)
        where = f" on {one_line(name)}" if name else ""
        how = f" ({', '.join(said)})" if (said := list(_of_child(attempt))) else ""
        click.echo(
            f"  attempt {attempt.number} {one_line(attempt.outcome)} at {at} after {took}"
            f"{where}{how}{why}"
        )


def _of_child(attempt: "AttemptView") -> "Iterator[str]":
    """Say what is known of how its child ended and how much that held."""
    if attempt.signal is not None:
        names = {one.value: one.name for one in signal.Signals}
        yield names.get(attempt.signal, f"signal {attempt.signal}")
    if attempt.peak_memory is not None:
        yield f"peak {show_size(attempt.peak_memory)}"


def _print_traceback(view: "JobView", attempts: "list[AttemptView]") -> None:
    errors = [view.error, *(attempt.error for attempt in reversed(attempts))]
    for error in errors:
        if error is not None and error.traceback:
            click.echo()
            click.echo(printable(error.traceback.rstrip()))
            return
