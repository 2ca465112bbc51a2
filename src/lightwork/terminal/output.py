"""Output: how answers look.

JSON: each line of stdout is one object; instants are ISO 8601 in UTC, states
are words, ids are text. Text for people may hold what programs and databases
say: it is made printable, because a terminal obeys what it is sent.
"""

import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TextIO

import click

from lightwork.error_text import text_of
from lightwork.terminal.answers import answers

if TYPE_CHECKING:
    from rich.console import Console

STATE_COLOURS: Final = {
    "blocked": "magenta",
    "scheduled": "cyan",
    "ready": "blue",
    "running": "yellow",
    "succeeded": "green",
    "failed": "red",
    "cancelled": "bright_black",
}

# Characters of a name, or of an error's first line: a row may hold megabytes.
_MOST_SHOWN: Final = 500
# Those in which the first line is looked for.
_MOST_READ: Final = 10_000


def is_terminal() -> bool:
    """Whether a person looks at stdout."""
    return sys.stdout.isatty()


def make_console() -> "Console":
    """Return stdout as rich sees it; NO_COLOR and pipes are its business."""
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False, markup=False, emoji=False)


def draw_bar(share: float, width: int) -> str:
    """Return a bar that is filled by this share of 1."""
    filled = round(min(max(share, 0.0), 1.0) * width)
    is_rich = "utf" in (sys.stdout.encoding or "").lower()
    full, empty = ("█", "░") if is_rich else ("#", "-")
    return full * filled + empty * (width - filled)


def seconds_since(instant: datetime) -> float:
    """Return how long ago an instant was; negative: it will be."""
    return (datetime.now(UTC) - instant).total_seconds()


def plain(value: Any) -> Any:
    """Return a value as JSON would hold it; its repr if JSON cannot."""
    import msgspec

    try:
        found = msgspec.to_builtins(value, str_keys=True, enc_hook=shown)
        # Lone surrogates show themselves only here.
        msgspec.json.encode(found)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return shown(value)
    return found


def shown(value: object) -> str:
    """Return the repr of any value; of what has none, words in its place."""
    try:
        return repr(value)
    except Exception as error:
        # Python writes no integer of more than 4300 digits, alone or in a list.
        if type(value) is int:
            return f"<an integer of {value.bit_length()} bits>"
        return f"<{type(value).__name__} that cannot be shown: {first_line(text_of(error))}>"


def plain_view(view: Any) -> dict[str, Any]:
    """Return a view of a job or an attempt as JSON holds it.

    Of its error only the texts: no store keeps the exception itself, and what is known of a child is
    said of the attempt.
    """
    found: dict[str, Any] = plain(view)
    if error := found.get("error"):
        for name in ("packed", "signal", "peak_memory"):
            error.pop(name, None)
    return found


def print_json(document: Any) -> None:
    """Print one object on one line."""
    click.echo(json_line(document), file=answers())


def answer(document: Any, text: str, *, json: bool, quiet: bool) -> None:
    """Print one answer as it was asked for: as an object, as text, or not at all."""
    if json:
        print_json(document)
    elif not quiet:
        click.echo(text)


def json_line(document: Any) -> str:
    """Return a value as one line of JSON; what JSON has no word for becomes its repr."""
    import msgspec

    return msgspec.json.encode(document, enc_hook=shown).decode()


def printable(text: str) -> str:
    """Return text that cannot steer a terminal; line ends and tabs stay."""
    return "".join(
        char if char.isprintable() or char in "\n\t" else char.encode("unicode_escape").decode()
        for char in text.encode("utf-8", "backslashreplace").decode()
    )


def first_line(text: str) -> str:
    """Return the first line that says something, printable and bounded."""
    lines = text[:_MOST_READ].strip().splitlines()
    return one_line(lines[0]) if lines else ""


def one_line(text: str) -> str:
    """Return a name as lists show it: printable, no line ends, and cut where it is too long."""
    cut = text if len(text) <= _MOST_SHOWN else text[: _MOST_SHOWN - 1] + "…"
    return printable(cut.replace("\n", "\\n").replace("\t", " "))


def has_colours(stream: TextIO) -> bool:
    """Whether colours are wanted there: a terminal, and NO_COLOR is not set."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def note(text: str) -> None:
    """Tell people something beside the answer."""
    click.echo(text, file=sys.stderr)
