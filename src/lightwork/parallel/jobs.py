"""Jobs: one input of a map, and how it ended."""

import shutil
from dataclasses import dataclass, field
from io import BytesIO
from typing import IO, Any, Final

from lightwork.parallel.sources import Values

# Outputs up to this size are kept in memory, so that few files stay open.
_SMALL: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class MapJob:
    """One input.

    Attributes:
        seq: Its number, from 1.
        values: What takes the places of placeholders.
        block: What its standard input holds; None: nothing, it has values instead.
        least: So many values a job has that is not the last one.
    """

    seq: int
    values: Values
    block: bytes | None = None
    least: int = 0


class Output:
    """What a job said: bytes in memory, or a file without a name that goes with this object."""

    __slots__ = ("_file", "size")

    def __init__(self, data: bytes = b"", file: IO[bytes] | None = None, size: int = 0) -> None:
        self._file = file or BytesIO(data)
        self.size = size if file else len(data)

    def write_to(self, stream: IO[bytes], *, tag: bytes = b"") -> None:
        """Write it, each line behind the tag."""
        self._file.seek(0)
        if tag:
            parts = (part for line in self._file for part in line.splitlines(keepends=True))
            stream.writelines(tag + part for part in parts)
        else:
            shutil.copyfileobj(self._file, stream)

    def read(self) -> bytes:
        """Return all of it."""
        self._file.seek(0)
        return self._file.read()


def output_of(file: IO[bytes]) -> Output:
    """Return what was written to a file, which is closed now unless much was."""
    size = file.seek(0, 2)
    if size > _SMALL:
        return Output(file=file, size=size)
    file.seek(0)
    with file:
        return Output(file.read())


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a job ended.

    Attributes:
        job: Its input.
        command: What ran, as a shell would be given it.
        status: Exit status; -1 when a signal or time-out ended it.
        signal: Number of that signal, or 0.
        started_at: Seconds since 1970.
        seconds: How long it took.
        stdout: What it said.
        stderr: What it said beside that.
        error: What is to be said about it that its outputs do not say, or "".
        result: Of a function, what it returned.
    """

    job: MapJob
    command: str
    status: int
    signal: int = 0
    started_at: float
    seconds: float
    stdout: Output = field(default_factory=Output)
    stderr: Output = field(default_factory=Output)
    error: str = ""
    result: Any = None

    @property
    def is_failed(self) -> bool:
        """Whether it did not succeed."""
        return self.status != 0 or self.signal != 0
