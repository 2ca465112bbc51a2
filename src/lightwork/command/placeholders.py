"""Placeholders: values put into the form of a command, in the manner of GNU parallel.

    {}     the value                       dir/pic.tar.gz
    {.}    without its last extension      dir/pic.tar      {..}  {...}   two, three, if it has so many
    {/}    without its folders             pic.tar.gz
    {//}   its folder                      dir
    {/.}   without folders and extension   pic.tar          {/..} {/...}  two, three
    {+/}   its folder, "" if it names none dir
    {+.}   its extension                   gz               {+..} {+...}  two, three
    {2}    the second value; {-1} the last one; {2.} {2/} {2//} {2/.} {2+.} likewise
    {#}    the number of the job, where jobs have one
    {%}    the number of the slot that runs it, from 1, where there are slots

Of several values {} means all. Where a form has no placeholder the values are
appended. What is written in signs and digits only is meant for us, so anything that
is not listed here is refused: a {##} that reached a program would do harm there. The
exceptions are {1..9} and all with a $ before it, which are the shell's. Braces around
letters or blanks are left to awk. Pure: knows no files, so {//} is decided by the
text alone.

Apart from GNU parallel: a number that no value has is an error, not an empty
text, and without a shell a {} that stands alone becomes one argument a value.
"""

import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lightwork.errors import UsageError

_PLACEHOLDER: Final = re.compile(
    r"\{(?:(?P<seq>#)|(?P<slot>%)|(?P<number>-?[1-9]\d{0,3})?"
    r"(?P<part>//|/\.{0,3}|\.{1,3}|\+/|\+\.{1,3})?)\}"
)
# In signs and digits only, or a program in Perl, and not after a $, which makes it the shell's.
_LIKE_ONE: Final = re.compile(r"(?<!\$)\{(?:[-+#%/.:@\d]*|=[^{}]*=)\}")
_SHELL_RANGE: Final = re.compile(r"\{-?\d+\.\.-?\d+(?:\.\.-?\d+)?\}")
_DOTTED: Final = {
    count: re.compile(r"(?:\.[^/.]*){%d}\Z" % count)  # noqa: UP031 - braces of the expression
    for count in (1, 2, 3)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a job is among others, as placeholders name it.

    Attributes:
        seq: Its number for {#}; 0: it has none, and {#} stays.
        slot: The number of what runs it for {%}; 0: it has none, and {%} stays.
        least: Numbers up to this are empty where there are fewer values: the last
            of several jobs may have got fewer than the others.
    """

    seq: int = 0
    slot: int = 0
    least: int = 0


NOWHERE: Final = Place()


def fill_argv(
    argv: Sequence[str], values: Sequence[str], place: Place = NOWHERE
) -> tuple[str, ...]:
    """Return program and arguments with the values in their places.

    Args:
        argv: Program and arguments, each of which may hold placeholders.
        values: What takes their places.
        place: What the job is among others.

    Raises:
        UsageError: A placeholder's number is that of no value.
    """
    if not any(map(has_placeholder, argv)):
        return (*argv, *values)
    return tuple(text for word in argv for text in _fill_word(word, values, place))


def fill_shell(text: str, values: Sequence[str], place: Place = NOWHERE) -> str:
    """Return a shell's command line with the values in their places, each quoted.

    Quoted values are safe between words; inside quotes of the command line they are not.

    Raises:
        UsageError: A placeholder's number is that of no value.
    """
    if not has_placeholder(text):
        return " ".join([text, *map(shlex.quote, values)])
    return _PLACEHOLDER.sub(
        lambda found: " ".join(map(shlex.quote, _meant(found, values, place))), text
    )


def fill_text(text: str, values: Sequence[str], place: Place = NOWHERE) -> str:
    """Return a text, such as a path, with the values in their places, none appended.

    Raises:
        UsageError: A placeholder's number is that of no value.
    """
    return _PLACEHOLDER.sub(lambda found: " ".join(_meant(found, values, place)), text)


def refuse_unknown_placeholders(text: str) -> None:
    """Raise unless all that looks like a placeholder is one.

    Raises:
        UsageError: Something looks like one and is none.
    """
    for found in _LIKE_ONE.finditer(text):
        if not _PLACEHOLDER.fullmatch(found[0]) and not _SHELL_RANGE.fullmatch(found[0]):
            raise UsageError(
                f"{found[0]} is no placeholder; there are {{}} {{.}} {{/}} {{//}} {{/.}} {{+/}} {{+.}} "
                "{#} {%}, two or three dots for as many extensions, and all with a number, "
                "such as {2/.}"
            )


def has_placeholder(text: str) -> bool:
    """Whether a value has a place in this text."""
    return _PLACEHOLDER.search(text) is not None


def value_text(value: object) -> str:
    """Return a value as an argument of a program.

    Raises:
        UsageError: It is no text, path or number.
    """
    if isinstance(value, bytes | str | os.PathLike):
        return os.fsdecode(value)
    if isinstance(value, int | float):
        return str(value)
    raise UsageError(f"a program's argument is text, a path or a number; seen: {value!r}")


def _fill_word(word: str, values: Sequence[str], place: Place) -> list[str]:
    found = _PLACEHOLDER.fullmatch(word)
    if found is not None:
        return _meant(found, values, place)
    return [fill_text(word, values, place)]


def _meant(found: re.Match[str], values: Sequence[str], place: Place) -> list[str]:
    if found["seq"]:
        return [str(place.seq) if place.seq else found[0]]
    if found["slot"]:
        return [str(place.slot) if place.slot else found[0]]
    chosen = values if found["number"] is None else [_numbered(found, values, place.least)]
    return [_part_of(value, found["part"] or "") for value in chosen]


def _numbered(found: re.Match[str], values: Sequence[str], least: int) -> str:
    number = int(found["number"])
    if len(values) < abs(number) <= least:
        return ""
    if abs(number) > len(values):
        raise UsageError(
            f"{found[0]} asks for a value that is not there: this job has {len(values)}"
        )
    return values[number if number < 0 else number - 1]


def _part_of(value: str, part: str) -> str:
    if part == "//":
        return os.path.dirname(value.rstrip("/")) or ("/" if value.startswith("/") else ".")  # noqa: PTH120 - text in, text out
    if part == "+/":
        return value.rpartition("/")[0]
    if part.startswith("+"):
        return _dotted(value, part.count("."))[1:]
    if part.startswith("/"):
        value = value.rpartition("/")[2]
    return value[: -len(dotted)] if (dotted := _dotted(value, part.count("."))) else value


def _dotted(value: str, count: int) -> str:
    """Return so many extensions with their dots; "" unless there are so many."""
    found = _DOTTED[count].search(value) if count else None
    return found[0] if found else ""
