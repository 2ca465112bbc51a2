r"""Joblog: a line for each job that ended, in the columns of GNU parallel.

    Seq  Host  Starttime  JobRuntime  Send  Receive  Exitval  Signal  Command

Parted by tabs. A line says that the job ended and was printed. Each is one write at the end of the file, so a program that
is killed leaves whole lines; a line that a full disk cut is skipped and ended
before the next. A line end inside a command is written as \n.
"""

import os
from collections.abc import Container
from pathlib import Path
from typing import Final

from lightwork.errors import UsageError
from lightwork.parallel.jobs import End

HEADER: Final = "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n"
# GNU parallel's name for this machine.
_HERE: Final = ":"


class Joblog:
    """Appends ends of jobs to a file.

    Args:
        path: The file.
        keep: Whether the lines it holds stay.

    Raises:
        UsageError: It cannot be written, or holds something else.
    """

    def __init__(self, path: str, *, keep: bool) -> None:
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
            if os.pread(self._file, 4, 0) not in (b"", b"Seq\t"):
                raise _not_a_joblog(path)
            if not keep:
                os.truncate(self._file, 0)
        except OSError as error:
            raise UsageError(f"--joblog {path} cannot be written: {error.strerror}") from error
        size = os.fstat(self._file).st_size
        if not size:
            self._append(HEADER)
        elif os.pread(self._file, 1, size - 1) != b"\n":
            self._append("\n")

    def add(self, end: End) -> None:
        """Append a line."""
        self._append(format_line(end))

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def _append(self, text: str) -> None:
        os.write(self._file, os.fsencode(text))


def format_line(end: End) -> str:
    """Return the line of a job."""
    columns = (
        end.job.seq,
        _HERE,
        f"{end.started_at:.3f}",
        f"{end.seconds:10.3f}",
        0,
        end.stdout.size,
        end.status,
        end.signal,
        end.command.replace("\n", "\\n"),
    )
    return "\t".join(map(str, columns)) + "\n"


def parse_done(text: str, *, failed_too: bool) -> Container[int]:
    """Return the numbers of the jobs that a joblog says need not run again.

    Args:
        text: All of it.
        failed_too: Whether a job that failed is done too. Of several lines of a
            job the last one counts.
    """
    done: set[int] = set()
    for line in text.split("\n")[:-1]:
        columns = line.split("\t", 8)
        if len(columns) < 9 or not columns[0].isdecimal():
            continue
        if failed_too or columns[6:8] == ["0", "0"]:
            done.add(int(columns[0]))
        else:
            done.discard(int(columns[0]))
    return done


def read_done(path: str, *, failed_too: bool) -> Container[int]:
    """Return what parse_done finds in a file; nothing if there is none.

    Raises:
        UsageError: It cannot be read, or is not a joblog.
    """
    try:
        text = os.fsdecode(Path(path).read_bytes())
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise UsageError(f"--joblog {path} cannot be read: {error.strerror}") from error
    if text and not text.startswith("Seq\t"):
        raise _not_a_joblog(path)
    return parse_done(text, failed_too=failed_too)


def _not_a_joblog(path: str) -> UsageError:
    return UsageError(
        f"--joblog {path} holds something else; it was not touched: name another file"
    )
