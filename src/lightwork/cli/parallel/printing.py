"""Printing: shows how jobs ended, each in one piece."""

import sys
from typing import IO, Any, Final

from lightwork.cli.answers import answers
from lightwork.cli.output import json_line, note, printable
from lightwork.cli.parallel.jobs import End, MapJob, Output
from lightwork.cli.parallel.live import Live

# So much of a command is shown where it is only named.
_SHOWN: Final = 200


class Printer:
    """Writes ends of jobs to standard output and standard error.

    Args:
        tag: Whether each line begins with the values of its job.
        json: One object a job on standard output instead.
        quiet: Nothing beside what jobs say themselves.
        shows_outputs: Whether outputs are shown; not where they are kept instead.
        live: The outputs of running jobs, whose lines are shown as they come; None: each
            job's outputs are shown in one piece when it has ended.
    """

    def __init__(
        self,
        *,
        tag: bool,
        json: bool,
        quiet: bool,
        shows_outputs: bool = True,
        live: Live | None = None,
    ) -> None:
        self._tag = tag
        self._json = json
        self._quiet = quiet
        self._shows_outputs = shows_outputs
        self._live = live

    def show_lines(self) -> None:
        """Write what running jobs have said since the last time."""
        if self._live is not None:
            self._live.drain(self._write_lines)

    def show(self, end: End) -> None:
        """Write one."""
        if self._json:
            _write(answers(), Output((json_line(_document(end)) + "\n").encode()))
            return
        if self._live is not None:
            self.show_lines()
        elif self._shows_outputs:
            for stream, output in ((sys.stdout, end.stdout), (sys.stderr, end.stderr)):
                if output.size:
                    _write(stream, output, tag=self._tag_of(end.job))
        if end.error and not self._quiet:
            command = printable(end.command[:_SHOWN])
            note(f"lightwork: job {end.job.seq} ({command}): {printable(end.error)}")

    def _tag_of(self, job: MapJob) -> bytes:
        if not self._tag:
            return b""
        return (" ".join(job.values) + "\t").encode("utf-8", "surrogateescape")

    def _write_lines(self, job: MapJob, stream: int, lines: bytes) -> None:
        _write((sys.stdout, sys.stderr)[stream], Output(lines), tag=self._tag_of(job))


def _write(stream: Any, output: Output, *, tag: bytes = b"") -> None:
    # A live bar takes over a terminal's text streams, and only those.
    binary: IO[bytes] | None = None if stream.isatty() else getattr(stream, "buffer", None)
    if binary is None:
        stream.write(_as_text(output, tag))
    else:
        stream.flush()
        output.write_to(binary, tag=tag)
    stream.flush()


def _as_text(output: Output, tag: bytes) -> str:
    text = output.read()
    if tag:
        text = b"".join(tag + line for line in text.splitlines(keepends=True))
    return text.decode("utf-8", "replace")


def _document(end: End) -> dict[str, Any]:
    return {
        "seq": end.job.seq,
        "input": [value.encode("utf-8", "replace").decode() for value in end.job.values],
        "command": end.command.encode("utf-8", "replace").decode(),
        "exit_status": end.status,
        "signal": end.signal,
        "started_at": end.started_at,
        "seconds": round(end.seconds, 6),
        "stdout": end.stdout.read().decode("utf-8", "replace"),
        "stderr": end.stderr.read().decode("utf-8", "replace"),
        "result": end.result,
        "error": end.error,
    }
