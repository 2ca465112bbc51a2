"""The command line as a person starts it: a process of its own, in a folder of its own."""

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

SOURCES = Path(__file__).parents[2] / "src"
WORK = '''
import os
import time
import lightwork as lw

@lw.task
def square(n: int) -> int:
    """Note each call in a file."""
    with open("calls", "a") as file:
        file.write(f"{n}\\n")
    return n * n

@lw.task
def odd(n: int) -> int:
    with open("calls", "a") as file:
        file.write(f"{n}\\n")
    if n % 2 == 0 and not os.path.exists("even-is-fine"):
        raise ValueError(f"{n} is even")
    return n

stubborn = odd.options(retries=3, backoff=0)

def join(*words: object, by: str = "-") -> str:
    return by.join(map(str, words))

def stay(*ignored: object) -> None:
        time.sleep(1000)
'''


@dataclass(frozen=True)
class CommandLine:
    """Starts `lightwork` in a folder."""

    folder: Path

    def start(self, *words: str, **options: object) -> subprocess.Popen[str]:
        environment = {
            key: value for key, value in os.environ.items() if not key.startswith("LIGHTWORK")
        }
        defaults: dict[str, object] = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "text": True,
        }
        return subprocess.Popen(  # type: ignore[call-overload,no-any-return]  # options of all kinds
            [sys.executable, "-m", "lightwork", *words],
            cwd=self.folder,
            env={**environment, "PYTHONPATH": str(SOURCES)},
            **{**defaults, **options},
        )

    def run(self, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        with self.start(*words, stdin=subprocess.PIPE) as process:
            stdout, stderr = process.communicate(typed, timeout=90)
        return subprocess.CompletedProcess(words, process.returncode, stdout, stderr)

    def lines(self, *words: str, typed: str = "") -> list[str]:
        """Return the lines of an answer without failure."""
        done = self.run(*words, typed=typed)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()


def pids_in(path: Path) -> list[int]:
    """Return the process ids that a program wrote into a file."""
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def alive(pids: Sequence[int]) -> list[int]:
    """Return those of the processes that run."""
    found = []
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                found.append(pid)
    return found
