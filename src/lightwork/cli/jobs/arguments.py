"""Arguments: what a job is called with, in words.

Only plain data is decoded, and no key is asked for: a look at a job must never run
what somebody stored.
"""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from lightwork.codec import Subject
from lightwork.codec.payload import SIGNED, Codec
from lightwork.errors import PayloadError
from lightwork.terminal.output import plain, printable, shown

# Bytes of a payload that are read for a line of a list.
LISTED: Final = 4096
# Characters of a list in a pipe; a terminal cuts earlier.
_MOST: Final = 200


def arguments_text(job_id: UUID, payload: bytes, size: int) -> str:
    """Return the arguments as they would stand between the brackets of a call.

    Args:
        job_id: Whose they are.
        payload: What the store keeps; empty if it is too large to be shown.
        size: How many bytes it has there.
    """
    if not payload:
        return f"{size} bytes"
    if payload.startswith(SIGNED):
        return f"pickled, {size} bytes"
    try:
        args, kwargs = Codec().decode_call(Subject(job_id, ""), payload)
    except PayloadError as error:
        return f"{size} bytes, not readable: {printable(str(error))}"
    words = [*map(shown, args), *(f"{name}={shown(value)}" for name, value in kwargs.items())]
    return printable(", ".join(words))


def listed_arguments(job_id: UUID, payload: bytes, size: int) -> str:
    """Return the same, cut to what one line may hold."""
    text = " ".join(arguments_text(job_id, payload, size).split("\n"))
    return text if len(text) <= _MOST else text[: _MOST - 1] + "…"


def argument_fields(job_id: UUID, payload: bytes) -> Mapping[str, Any]:
    """Return `args` and `kwargs` as JSON holds them; nothing if they are not plain or too large."""
    if not payload or payload.startswith(SIGNED):
        return {}
    try:
        args, kwargs = Codec().decode_call(Subject(job_id, ""), payload)
    except PayloadError:
        return {}
    return {"args": plain(list(args)), "kwargs": plain(kwargs)}
