"""Placeholders: values put into the form of a command, in the manner of GNU parallel.

    {}     the value                       dir/pic.tar.gz
    {.}    without its last extension      dir/pic.tar
    {/}    without its folders             pic.tar.gz
    {//}   its folder                      dir
    {/.}   without folders and extension   pic.tar
    {2}    the second value; {-1} the last one; {2.} {2/} {2//} {2/.} likewise
    {#}    the number of the job, where jobs have one

Of several values {} means all. Where a form has no placeholder the values are
appended. Anything else in braces stays as it is, so that awk and the shell keep
theirs. Pure: knows no files, so {//} is decided by the text alone.

Apart from GNU parallel: a number that no value has is an error, not an empty
text, and without a shell a {} that stands alone becomes one argument a value.
"""

import os
import re
import shlex
from collections.abc import Sequence
from typing import Final

from lightwork.errors import UsageError

_PLACEHOLDER: Final = re.compile(
    r"\{(?:(?P<seq>#)|(?P<number>-?[1-9]\d{0,3})?(?P<part>//|/\.|/|\.)?)\}"
)
_EXTENSION: Final = re.compile(r"\.[^/.]*\Z")


def fill_argv(argv: Sequence[str], values: Sequence[str], *, seq: int = 0) -> tuple[str, ...]:
    """Return program and arguments with the values in their places.

    Args:
        argv: Program and arguments, each of which may hold placeholders.
        values: At least one.
        seq: Number of the job for {#}; 0: there is none and {#} stays.

    Raises:
        UsageError: A placeholder's number is that of no value.
    """
    if not any(map(has_placeholder, argv)):
        return (*argv, *values)
    return tuple(text for word in argv for text in _fill_word(word, values, seq))


def fill_shell(text: str, values: Sequence[str], *, seq: int = 0) -> str:
    """Return a shell's command line with the values in their places, each quoted.

    Quoted values are safe between words; inside quotes of the command line they are not.

    Raises:
        UsageError: A placeholder's number is that of no value.
    """
    if not has_placeholder(text):
        return " ".join([text, *map(shlex.quote, values)])
    return _PLACEHOLDER.sub(
        lambda found: " ".join(map(shlex.quote, _meant(found, values, seq))), text
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


def _fill_word(word: str, values: Sequence[str], seq: int) -> list[str]:
    found = _PLACEHOLDER.fullmatch(word)
    if found is not None:
        return _meant(found, values, seq)
    return [_PLACEHOLDER.sub(lambda found: " ".join(_meant(found, values, seq)), word)]


def _meant(found: re.Match[str], values: Sequence[str], seq: int) -> list[str]:
    if found["seq"]:
        return [str(seq) if seq else found[0]]
    chosen = values if found["number"] is None else [_numbered(found, values)]
    return [_part_of(value, found["part"] or "") for value in chosen]


def _numbered(found: re.Match[str], values: Sequence[str]) -> str:
    number = int(found["number"])
    if abs(number) > len(values):
        raise UsageError(
            f"{found[0]} asks for a value that is not there: this job has {len(values)}"
        )
    return values[number if number < 0 else number - 1]


def _part_of(value: str, part: str) -> str:
    if part == "//":
        return os.path.dirname(value.rstrip("/")) or ("/" if value.startswith("/") else ".")  # noqa: PTH120 - text in, text out
    if part.startswith("/"):
        value = value.rpartition("/")[2]
    return _EXTENSION.sub("", value) if part.endswith(".") else value
