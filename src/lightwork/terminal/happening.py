"""Happening: an event as a line for people, and as an object for programs."""

from typing import Any, Final

import click

from lightwork.events.kinds import (
    Event,
    JobEvent,
    Progressed,
    Released,
    Submitted,
    values_of,
)
from lightwork.model import ErrorInfo, Progress
from lightwork.tasks.names import short_name
from lightwork.terminal.amounts import show_duration
from lightwork.terminal.output import STATE_COLOURS, first_line, one_line

COLOURS: Final = STATE_COLOURS | {
    "submitted": "blue",
    "retried": "yellow",
    "snoozed": "cyan",
    "released": "cyan",
    "lost": "red",
    "quarantined": "red",
    "rescued": "yellow",
    "warning": "yellow",
    "error": "red",
    "critical": "red",
}


def event_fields(event: Event) -> dict[str, Any]:
    """Return an event as an object of one line of JSON; its error without the traceback."""
    fields: dict[str, Any] = {"at": event.at, "event": event.word}
    return fields | {name: _plain(value) for name, value in values_of(event)}


def event_line(event: Event, *, colours: bool) -> str:
    """Return an event as a line of text, without the time."""
    if not isinstance(event, JobEvent):
        values = " ".join(f"{name}={value}" for name, value in values_of(event))
        return one_line(f"{event.word.replace('_', ' ')} {values}").rstrip()
    word = event.word.removeprefix("job_")
    shown = click.style(word, fg=COLOURS.get(word)) if colours else word
    return f"{shown} {_about(event)}"


def _about(event: JobEvent) -> str:
    name = f"job {event.seq}" if event.seq else f"job {event.job_id}"
    words = [one_line(short_name(event.task)), name]
    if event.attempt:
        words.append(f"attempt {event.attempt}")
    if isinstance(event, Submitted) and event.queue:
        words.append(f"queue {one_line(event.queue)}")
    known = dict(values_of(event))
    if isinstance(event, Progressed):
        words.append(_progress(event.progress))
    if "delay" in known:
        words.append(f"again in {show_duration(known['delay'])}")
    if "seconds" in known:
        words.append(f"after {show_duration(known['seconds'])}")
    if isinstance(error := known.get("error"), ErrorInfo):
        words.append(f"{one_line(error.type)}: {first_line(error.text)}")
    if isinstance(event, Released):
        words.append("for others to run")
    return " ".join(word for word in words if word)


def _progress(progress: Progress) -> str:
    total = f" of {progress.total:g}" if progress.total else ""
    return f"{progress.done:g}{total} {first_line(progress.note)}".rstrip()


def _plain(value: Any) -> Any:
    if isinstance(value, ErrorInfo):
        return {"type": value.type, "text": value.text}
    return value
