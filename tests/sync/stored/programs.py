"""Programs: other processes that use the store of a test, and do what they are told line by line."""

import ast
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from lightwork.sync.host import Place

_LISTENER: Final = """
import os, sys
import lightwork as lw
from lightwork.sync import opening
from lightwork.sync.host import Place, Refusal
from lightwork.sync.stored.host import open_stored
url = sys.argv[1]
host = open_stored(url, lease=float(sys.argv[2]))
opening._hosts[url] = host
LOCK = Place("lock", "it", (False,))
lock = lw.Lock("table", where=url)
def value(name):
    return lw.Value("q", 0, lock=False, name=name, where=url)
def change(amount, rounds):
    balance = value("balance")
    for _ in range(rounds):
        with lock:
            balance.value += amount
        with lock:
            balance.value -= amount
    return rounds
def count(number, rounds):
    own, total = value(f"of {number}"), value("of all")
    for _ in range(rounds):
        with lock:
            own.value += 1
            total.value += 1
    return rounds
for line in sys.stdin:
    try:
        answer = eval(line)
    except BaseException as error:
        answer = (type(error).__name__, str(error))
    print(repr(answer), flush=True)
"""
LOCK: Final = Place("lock", "it", (False,))


class Program:
    """A Python of its own: `do` one line of Python and return what it is, or the error's name and text."""

    def __init__(self, url: str, lease: float) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _LISTENER, url, str(lease)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    def do(self, line: str) -> Any:
        self.begin(line)
        return self.end()

    def begin(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def end(self) -> Any:
        assert self._process.stdout is not None
        return ast.literal_eval(self._process.stdout.readline().decode())

    def stop(self, lock_file: Path) -> None:
        """Stop it, but not in the middle of a write to a file, which would stop everybody."""
        while True:
            self.send(signal.SIGSTOP)
            if not _is_locked(lock_file):
                return
            self.send(signal.SIGCONT)

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def leave(self) -> None:
        """Let it come to its end; return when it has."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait(30) == 0

    def close(self) -> None:
        """Kill it; idempotent."""
        self._process.kill()
        self._process.wait(30)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


def _is_locked(lock_file: Path) -> bool:
    if not lock_file.exists():
        return False
    with lock_file.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
