"""Sources: which values each job gets. Pure: what files hold comes in as iterables.

    ::: a b c          these words            :::+    the same, linked to the source before
    :::: file ...      the lines of files     ::::+   the same, linked
    (none)             the lines of stdin

Several sources are combined: each value with each, the last one varying fastest.
Linked sources go side by side instead, as far as the shortest. Only the first
is read lazily, the others are needed again and again.
"""

import itertools
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from lightwork.errors import UsageError

# The values of one job.
Values = tuple[str, ...]

_WORDS: Final = (":::", ":::+")
_FILES: Final = ("::::", "::::+")
# A line that is longer is no line: somebody gave a file of another kind.
LONGEST_ITEM: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class Source:
    """One source as it was typed."""

    is_files: bool
    is_linked: bool
    words: tuple[str, ...]


def split_command_line(words: Sequence[str]) -> tuple[list[str], list[Source]]:
    """Return what stands before the first source, and the sources.

    Raises:
        UsageError: The first source is linked to nothing, or one has no word.
    """
    marks = [n for n, word in enumerate(words) if word in _WORDS + _FILES]
    if not marks:
        return list(words), []
    sources = [
        Source(words[start] in _FILES, words[start].endswith("+"), tuple(words[start + 1 : end]))
        for start, end in itertools.pairwise([*marks, len(words)])
    ]
    if sources[0].is_linked:
        raise UsageError(f"{words[marks[0]]} links to the source before it, and there is none")
    for source in sources:
        if source.is_files and not source.words:
            raise UsageError(":::: expects the names of files, - for standard input")
    return list(words[: marks[0]]), sources


def combine(sources: Sequence[tuple[bool, Iterable[Values]]]) -> Iterator[Values]:
    """Yield the values of each job.

    Args:
        sources: Of each, whether it is linked to the one before, and its values.
    """
    groups: list[list[Iterable[Values]]] = []
    for is_linked, values in sources:
        if is_linked:
            groups[-1].append(values)
        else:
            groups.append([values])
    first, *rest = map(_side_by_side, groups)
    others = [list(group) for group in rest]
    for head in first:
        for tail in itertools.product(*others):
            yield _joined([head, *tail])


def count_jobs(sources: Sequence[Source]) -> int:
    """Return how many jobs the sources make; 0 when only reading them can tell."""
    if not sources or any(source.is_files for source in sources):
        return 0
    counts: list[int] = []
    for source in sources:
        if source.is_linked:
            counts[-1] = min(counts[-1], len(source.words))
        else:
            counts.append(len(source.words))
    total = 1
    for count in counts:
        total *= count
    return total


def split_items(blocks: Iterable[bytes], separator: bytes) -> Iterator[str]:
    """Yield the items of a stream as soon as they are whole; the last needs no separator.

    Bytes that are no text survive: names of files may be anything.

    Raises:
        UsageError: An item is longer than 64 MiB.
    """
    rest: list[bytes] = []
    length = 0
    for block in blocks:
        *whole, last = block.split(separator)
        for item in whole:
            yield os.fsdecode(b"".join([*rest, item]))
            rest, length = [], 0
        rest.append(last)
        length += len(last)
        if length > LONGEST_ITEM:
            raise UsageError(
                "an input is longer than 64 MiB; is this a file of lines? (-0: of items that NUL bytes end)"
            )
    if length:
        yield os.fsdecode(b"".join(rest))


def column_splitter(colsep: str) -> Callable[[str], Values]:
    """Return what makes the values of a line: its columns without blanks around, or itself.

    Raises:
        UsageError: `colsep` is no regular expression.
    """
    if not colsep:
        return lambda line: (line,)
    try:
        pattern = re.compile(colsep)
    except re.error as error:
        raise UsageError(f"--colsep {colsep!r} is no regular expression: {error}") from error
    # Not split(): groups in the expression would become columns.
    return lambda line: tuple(text.strip() for text in _split(pattern, line))


def _split(pattern: re.Pattern[str], line: str) -> Iterator[str]:
    start = 0
    for found in pattern.finditer(line):
        if found.end() > found.start():
            yield line[start : found.start()]
            start = found.end()
    yield line[start:]


def _side_by_side(group: list[Iterable[Values]]) -> Iterator[Values]:
    return (_joined(values) for values in zip(*group, strict=False))


def _joined(parts: Iterable[Values]) -> Values:
    return tuple(itertools.chain.from_iterable(parts))
