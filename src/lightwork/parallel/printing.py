"""Printing: shows how jobs ended, each in one piece."""

import sys
from io import BytesIO
from typing import IO, Any, Final

from lightwork.parallel.jobs import End, MapJob, Output
from lightwork.parallel.live import Live
from lightwork.parallel.settings import MapSettings
from lightwork.terminal.answers import answers
from lightwork.terminal.output import json_line, note, printable

# So much of a command is shown where it is only named.
_SHOWN: Final = 200


class Printer:
    """Writes ends of jobs to standard output and standard error.

    Args:
        settings: What was typed.
        live: The outputs of running jobs, whose lines are shown as they come; None: each
            job's outputs are shown in one piece when it has ended.
    """

    def __init__(self, settings: MapSettings, live: Live | None) -> None:
        self._settings = settings
        self._live = live

    def show_lines(self) -> None:
        """Write what running jobs have said since the last time."""
        if self._live is not None:
            self._live.drain(self._write_lines)

    def show(self, end: End) -> None:
        """Write one."""
        if self._settings.json:
            _write(answers(), Output((json_line(_document(end)) + "\n").encode()))
            return
        if self._live is not None:
            self.show_lines()
        elif not self._settings.results:
            for stream, output in ((sys.stdout, end.stdout), (sys.stderr, end.stderr)):
                if output.size:
                    _write(stream, output, tag=self._tag_of(end.job))
        if end.error and not self._settings.quiet:
            command = printable(end.command[:_SHOWN])
            note(f"lightwork: job {end.job.seq} ({command}): {printable(end.error)}")

    def _tag_of(self, job: MapJob) -> bytes:
        if not self._settings.tag:
            return b""
        return (" ".join(job.values) + "\t").encode("utf-8", "surrogateescape")

    def _write_lines(self, job: MapJob, stream: int, lines: bytes) -> None:
        _write((sys.stdout, sys.stderr)[stream], Output(lines), tag=self._tag_of(job))


def _write(stream: Any, output: Output, *, tag: bytes = b"") -> None:
    # A live bar takes over a terminal's text streams, and only those.
    binary: IO[bytes] | None = None if stream.isatty() else getattr(stream, "buffer", None)
    if binary is None:
        text = BytesIO()
        output.write_to(text, tag=tag)
        stream.write(text.getvalue().decode("utf-8", "replace"))
    else:
        stream.flush()
        output.write_to(binary, tag=tag)
    stream.flush()


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
