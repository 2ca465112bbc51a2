"""Running the command line as a person does: as a program, in a folder with a script."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import lightwork

# Where the package under test is, whatever folder the program runs in.
SOURCES = Path(lightwork.__file__).parents[1]

SCRIPT = '''
import pathlib
import time

import lightwork as lw


@lw.task
def square(n: int) -> int:
    return n * n


@lw.task
def greet(name: str, *, mark: str = "!") -> str:
    return name + mark


@lw.task
def fail(text: str) -> None:
    raise ValueError(text)


@lw.task
def hold(folder: str) -> str:
    """Say that it runs, and run until told to end."""
    place = pathlib.Path(folder)
    (place / "begun").touch()
    while not (place / "end").exists():
        time.sleep(0.005)
    return "held"
'''


@contextmanager
def start(
    *words: str,
    folder: Path,
    stdout: int = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[subprocess.Popen[str]]:
    """Start `lightwork WORDS` in a folder and in a session of its own; wait for its end."""
    with subprocess.Popen(
        [sys.executable, "-m", "lightwork", *words],
        cwd=folder,
        env={**clean_environment(), **environment},
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        except BaseException:
            # A test that fails must not wait for what nobody will end.
            process.kill()
            raise


def run(*words: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `lightwork WORDS` in a folder to its end."""
    with start(*words, folder=folder, environment=environment) as process:
        output, errors = process.communicate(timeout=90)
    return subprocess.CompletedProcess(words, process.returncode, output, errors)


def clean_environment() -> dict[str, str]:
    """Return the environment without what would change the answers."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LIGHTWORK", "NO_COLOR", "FORCE_COLOR", "COLUMNS"))
    }
    return kept | {"PYTHONPATH": str(SOURCES), "TERM": "xterm-256color"}


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """Read the program's errors up to the line that holds the words, and return it."""
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return line
    raise AssertionError(f"the program ended without saying {words!r}")
