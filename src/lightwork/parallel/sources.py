"""Sources: which values each job gets. Pure: what files hold comes in as iterables.

    ::: a b c          these words            :::+    the same, linked to the source before
    :::: file ...      the lines of files     ::::+   the same, linked
    -a file ...        the same as :::: file ...
    (none)             the lines of stdin

Each file is a source of its own. Several sources are combined: each value with each, the last one varying fastest.
Linked sources go side by side instead, as far as the shortest. Only the first
is read lazily, the others are needed again and again.
"""

import itertools
import math
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
        UsageError: A source of files names none.
    """
    marks = [n for n, word in enumerate(words) if word in _WORDS + _FILES]
    if not marks:
        return list(words), []
    sources: list[Source] = []
    for start, end in itertools.pairwise([*marks, len(words)]):
        sources += _sources_of(words[start], tuple(words[start + 1 : end]))
    return list(words[: marks[0]]), sources


def check_sources(sources: Sequence[Source]) -> None:
    """Raise if the first source is linked to nothing.

    Raises:
        UsageError: It is.
    """
    if sources and sources[0].is_linked:
        raise UsageError(":::+ and ::::+ link to the source before them, and there is none")


def _sources_of(mark: str, words: tuple[str, ...]) -> list[Source]:
    is_linked = mark.endswith("+")
    if mark in _WORDS:
        return [Source(is_files=False, is_linked=is_linked, words=words)]
    if not words:
        raise UsageError(":::: expects the names of files, - for standard input")
    return file_sources(words, is_linked=is_linked)


def file_sources(paths: Sequence[str], *, is_linked: bool = False) -> list[Source]:
    """Return a source for each file, - for standard input."""
    return [Source(is_files=True, is_linked=is_linked, words=(path,)) for path in paths]


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
    first, *rest = (map(_joined, zip(*group, strict=False)) for group in groups)
    others = [list(group) for group in rest]
    for head in first:
        for tail in itertools.product(*others):
            yield _joined([head, *tail])


def in_groups(values: Iterator[Values], size: int) -> Iterator[Values]:
    """Yield the values of so many jobs as those of one; 0: jobs without values, one for each."""
    if not size:
        yield from (() for _ in values)
        return
    while group := list(itertools.islice(values, size)):
        yield _joined(group)


def split_blocks(blocks: Iterable[bytes], separator: bytes, size: int) -> Iterator[bytes]:
    """Yield a stream in blocks of about `size` bytes that end where a record does.

    A record that is longer is a block of its own; the last one may lack its separator.
    """
    rest = bytearray()
    for block in blocks:
        rest += block
        while (end := _end_of_block(rest, separator, size)) > 0:
            yield bytes(rest[:end])
            del rest[:end]
    if rest:
        yield bytes(rest)


def split_records(blocks: Iterable[bytes], separator: bytes, count: int) -> Iterator[bytes]:
    """Yield a stream in blocks of so many records."""
    rest, found, start = bytearray(), 0, 0
    for block in blocks:
        rest += block
        while (at := rest.find(separator, start)) >= 0:
            start, found = at + len(separator), found + 1
            if found == count:
                yield bytes(rest[:start])
                del rest[:start]
                found = start = 0
        # A separator may begin at the end of one block and end in the next.
        start = max(start, len(rest) - len(separator) + 1)
    if rest:
        yield bytes(rest)


def _end_of_block(data: bytearray, separator: bytes, size: int) -> int:
    """Return where the first block ends, or 0 while that cannot be told."""
    if len(data) < size:
        return 0
    last = data.rfind(separator, 0, size)
    if last < 0:
        last = data.find(separator, max(size - len(separator), 0))
    return last + len(separator) if last >= 0 else 0


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
    return math.prod(counts)


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


def _joined(parts: Iterable[Values]) -> Values:
    return tuple(itertools.chain.from_iterable(parts))
