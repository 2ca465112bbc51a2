"""Session: a process together with all that it starts, so that nothing of it is left behind."""

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

HERE = Path(__file__).parent


def script(name: str, *arguments: object) -> list[str]:
    """Return the command of one of the scripts here."""
    # -P: the folder of the script is not searched for modules, so nothing here hides others.
    return [sys.executable, "-P", str(HERE / name), *map(str, arguments)]


def start(
    command: Sequence[str], stdout: int | IO[bytes], stderr: IO[bytes]
) -> "subprocess.Popen[bytes]":
    """Start a process in a session of its own, in which scripts find this package."""
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=stderr,
        env=environment(),
        start_new_session=True,
    )


def environment() -> dict[str, str]:
    """Return the environment of everything that is measured."""
    found = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([str(HERE.parent), *([found] if found else [])])
    # Installed programs have their bytecode cached, whatever the habits of this environment.
    kept = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": path, "PYTHONWARNINGS": "ignore"}


def end(process: "subprocess.Popen[bytes]", patience: float) -> bool:
    """Wait so many seconds for the process, kill what is left; return whether it ended by itself."""
    if process.returncode is not None:
        return True
    assert process.stdin
    with contextlib.suppress(OSError):
        process.stdin.close()
    ended = os.pidfd_open(process.pid)
    try:
        by_itself = bool(select.select([ended], [], [], patience)[0])
    finally:
        os.close(ended)
        # Before its number is given back: afterwards this could be somebody else's group.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return by_itself


def last_words(errors: IO[bytes]) -> str:
    """Return the last line that a process wrote to its standard error."""
    errors.seek(0)
    lines = errors.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
