"""Error text: what is said about an exception, whatever its own code does.

An exception is an object of the user: `str()` of it, its attributes and even the
name of its class may raise anything, SystemExit included. What must not fail,
because it runs where a dispatcher, a thread or a worker would die of it, asks
for them here, or goes past the class to the C code of BaseException.

Tracebacks show the frames of the user once; those of lightwork's own files are
left out unless LIGHTWORK_TRACEBACK=full, or unless there are no others. An
exception that was raised in this process loses the frames before the user's.

Of a name that somebody got wrong they say what was probably meant.

Children import this before anything else: it imports little.
"""

import os
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import traceback

_FOLDER: Final = __file__.rpartition("/")[0] + "/"

# Past whatever a class defines under these names.
_TRACEBACK: Final[Any] = vars(BaseException)["__traceback__"]
_CAUSE: Final[Any] = vars(BaseException)["__cause__"]


def class_name(kind: type) -> str:
    """Return the qualified name of a class, by which `retry_on` and errors name it."""
    try:
        # A plain str, whatever the class gave.
        return f"{str.__str__(kind.__module__)}.{str.__str__(kind.__qualname__)}"
    except BaseException:
        return "<the name of its class cannot be shown>"


def text_of(error: BaseException) -> str:
    """Return the text of an exception as a plain string."""
    try:
        return str.__str__(str(error))
    except BaseException as broken:
        return f"<its text cannot be shown: {type(broken).__name__}>"


def named_text_of(error: BaseException) -> str:
    """Return what the last line of a traceback says."""
    name, text = class_name(type(error)).removeprefix("builtins."), text_of(error)
    return f"{name}: {text}" if text else name


def trace_of(error: BaseException) -> str:
    """Return the formatted traceback of an exception, with causes, notes and groups."""
    # 4 ms to import, and most children see no error.
    import traceback  # noqa: PLC0415 - see above

    try:
        told = traceback.TracebackException(
            type(error), error, _TRACEBACK.__get__(error), compact=True
        )
        if not _is_full():
            _leave_out(told)
        return "".join(told.format())
    except BaseException:
        # An attribute that the traceback asks for, such as __cause__, raises.
        return _short_trace_of(error)


def set_cause(error: BaseException, cause: BaseException) -> None:
    """Say what an exception comes from, although its class may refuse attributes."""
    _CAUSE.__set__(error, cause)


def leave_out_own_frames(error: BaseException) -> None:
    """Let the traceback of a caught exception begin with the user's code."""
    if _is_full():
        return
    rest: TracebackType | None = _TRACEBACK.__get__(error)
    while rest is not None and _is_own(rest.tb_frame.f_code.co_filename):
        rest = rest.tb_next
    if rest is not None:
        _TRACEBACK.__set__(error, rest)


def _is_own(filename: str) -> bool:
    return filename.startswith(_FOLDER)


def _is_full() -> bool:
    return os.environ.get("LIGHTWORK_TRACEBACK") == "full"


def _leave_out(told: "traceback.TracebackException") -> None:
    left, seen = [told], set()
    while left:
        one = left.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if shown := [frame for frame in one.stack if not _is_own(frame.filename)]:
            one.stack[:] = shown
        causes = (one.__cause__, one.__context__, *(one.exceptions or ()))
        left += [cause for cause in causes if cause is not None]


def _short_trace_of(error: BaseException) -> str:
    import traceback  # noqa: PLC0415 - as above

    try:
        frames = traceback.extract_tb(_TRACEBACK.__get__(error))
        shown = [frame for frame in frames if _is_full() or not _is_own(frame.filename)]
        lines = "".join(traceback.format_list(shown or frames))
    except BaseException as broken:
        lines = f"  <the frames cannot be shown: {type(broken).__name__}>\n"
    return f"Traceback (most recent call last):\n{lines}{named_text_of(error)}\n"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'x'?", or "" if no name is near."""
    # Where something is wrong only: nobody else pays for it.
    import difflib  # noqa: PLC0415 - see above

    near = difflib.get_close_matches(word, list(known), n=2)
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
