"""Programs: other processes that use the broker of a test, and do what they are told line by line."""

import ast
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from lightwork.sync.broker import client, protocol
from lightwork.sync.broker.client import open_broker
from lightwork.sync.broker.shortcuts import ArenaBroker
from waiting import wait_until

_LISTENER: Final = """
import os, signal, sys, threading, time
from lightwork.sync.broker.client import open_broker
from lightwork.sync.host import Place, Refusal
from sync.programs import in_fork
host = open_broker()
def lock(name, is_reentrant=False):
    return host.open_lock(Place("lock", name, (is_reentrant,)))
def machine(name):
    return Place("lock", name, (False,))
def value(name, initial):
    return host.open_memory(Place("value", name, (initial,)))
for line in sys.stdin:
    try:
        try:
            answer = eval(line)
        except SyntaxError:
            answer = exec(line)
    except BaseException as error:
        answer = (type(error).__name__, str(error))
    print(repr(answer), flush=True)
"""


class Program:
    """A Python of its own: `do` one line of Python and return what it is, or the error's name and text."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _LISTENER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        self.pid = self._process.pid

    def do(self, line: str) -> Any:
        self.begin(line)
        return self.end()

    def begin(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def end(self) -> Any:
        assert self._process.stdout is not None
        answer = self._process.stdout.readline()
        assert answer, "the program has died"
        return ast.literal_eval(answer.decode())

    def has_answered(self) -> bool:
        """Whether `end` would not wait."""
        assert self._process.stdout is not None
        return bool(select.select([self._process.stdout], [], [], 0)[0])

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


def wait_until_asleep_in(program: Program, call: str) -> None:
    """Return when the program waits in a system call whose name in the kernel has `call` in it."""

    def is_there() -> bool:
        return call in Path(f"/proc/{program.pid}/wchan").read_text()

    wait_until(is_there, f"program {program.pid} waits in {call}")


@contextmanager
def programs(count: int) -> Iterator[list[Program]]:
    """Start as many, and kill them at the end."""
    started: list[Program] = []
    try:
        for _ in range(count):
            started.append(Program())  # noqa: PERF401 - those that have started must be ended
        yield started
    finally:
        for program in started:
            program.kill()


@contextmanager
def broker_of(folder: Path) -> Iterator[ArenaBroker]:
    """Return this process's broker in a folder, and let nothing of it stay."""
    host = open_broker()
    assert isinstance(host, ArenaBroker)
    try:
        yield host
    finally:
        host.close()
        client._brokers.pop(str(folder))
        os.close(host._folder)
        end_broker(folder)


def broker_pid(folder: Path) -> int:
    """Return the number of the process; 0: none has started there."""
    try:
        return int((folder / protocol.LOCK).read_text() or 0)
    except FileNotFoundError:
        return 0


def end_broker(folder: Path) -> None:
    """Kill the broker in a folder, if there is one, and wait until it is gone."""
    if pid := broker_pid(folder):
        kill_and_wait(pid)


def start_broker(folder: Path) -> None:
    """Start the broker in a folder, and wait until it answers."""
    host = ArenaBroker(str(folder))
    try:
        assert host.session
    finally:
        host.close()
        os.close(host._folder)


def kill_and_wait(pid: int) -> None:
    """Kill a process that may be no child of ours."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    wait_until(lambda: not _is_there(pid), f"process {pid} is gone")


def _is_there(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def in_fork(act: Callable[[], object]) -> str:
    """Return what a forked child sees, as text; "": it has failed."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.write(write, repr(act()).encode())
        finally:
            os._exit(0)
    os.close(write)
    with open(read, "rb") as file:  # noqa: PTH123 - a descriptor
        seen = file.read().decode()
    os.waitpid(pid, 0)
    return seen
