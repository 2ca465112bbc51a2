"""`lightwork serve` as a program, at a port that stays its own when it is started again."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.runs import start

_AT = re.compile(r"^  at +(https?://\S+)$")


@contextmanager
def serving(
    folder: Path, *words: str, port: int = 0
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Serve sqlite:///work.db of the folder; yields the URL, and ends the server."""
    said = ["serve", "sqlite:///work.db", "--bind", f"127.0.0.1:{port}", *words]
    with start(*said, folder=folder) as process:
        assert process.stderr is not None
        url = ""
        while not url:
            line = process.stderr.readline()
            assert line, f"the server has ended: {process.wait(10)}"
            found = _AT.match(line)
            url = found[1] if found else ""
        try:
            yield url, process
        finally:
            process.terminate()
            process.communicate(timeout=30)


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])
