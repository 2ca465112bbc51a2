"""Interpreter main: the loop inside of a sub-interpreter that runs the calls of one thread.

Like child/main.py, less all that a process needs because it can be killed: what dies
here takes the whole program along, so there is nothing to rescue. Frames of
wire/frames.py come through a pipe and go through another, each read and written whole.

    thread ──FUNCTION, CALL──> pipe ──> loop ──PROGRESS, VALUE or ERROR──> pipe ──> thread

The loop stays for the interpreter's whole life, in one thread: the alternative,
to run source anew for each call, takes three times as long (20 us against 6) and
gives each call a new thread state, so that what is local to a thread is lost.

`current().cancelled` looks at a word of shared memory, which holds the number of
the call that nobody wants any more.

User code may start threads that report progress: `_lock` guards the answers.
"""

import os
import sys
import threading
from importlib.machinery import ExtensionFileLoader
from typing import Any, BinaryIO, Final, NamedTuple

from lightwork.pool.call.current import Current, run_with
from lightwork.pool.call.hooks import Hooks
from lightwork.pool.call.thread_exit import run_endings
from lightwork.pool.memory.shared_mmap import map_shared
from lightwork.pool.wire.dump_exception import pack_exception
from lightwork.pool.wire.frames import HEADER, Kind, Packet
from lightwork.pool.wire.function_cache import FunctionCache
from lightwork.pool.wire.pickling import dump_answer, load

# Bytes of shared memory.
FLAG_SIZE: Final = 8
# What one system call can take.
_WRITE_MAX: Final = 1 << 30

_ADVICE: Final = (
    "a sub-interpreter cannot load this extension module: run the call on processes, "
    'lw.executor("processes"), or on threads'
)


class Setup(NamedTuple):
    """What a loop learns before its first call."""

    name: str
    argv: list[str]
    # Pickled, or empty.
    hooks: bytes


def pack(kind: Kind, seq: int, body: bytes, *, function: int = 0, attempt: int = 0) -> bytes:
    """Return a frame: a packet of any size."""
    return HEADER.pack(kind, 0, attempt, function, seq, len(body)) + body


def read_frame(stream: BinaryIO) -> Packet:
    """Wait for a frame.

    Raises:
        EOFError: There is no other side any more.
    """
    head = stream.read(HEADER.size)
    if len(head) < HEADER.size:
        raise EOFError
    kind, _, attempt, function, seq, size = HEADER.unpack(head)
    return Packet(kind, function, seq, size, stream.read(size), attempt=attempt)


def write_all(fd: int, data: bytes) -> None:
    """Write it whole, waiting for the reader."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest[:_WRITE_MAX]) :]


class InterpreterLoop:
    """State of the loop; its thread alone touches it, but for the pipe of answers."""

    def __init__(self, calls: int, answers: int, flag: int) -> None:
        # The thread outside owns the descriptors and closes them.
        self._calls: BinaryIO = os.fdopen(calls, "rb", closefd=False)
        self._answers = answers
        self._flag = memoryview(map_shared(flag, FLAG_SIZE)).cast("Q")
        self._lock = threading.Lock()
        self._functions = FunctionCache()
        self._name = ""
        self._hooks = Hooks()

    def run(self) -> None:
        """Serve until told to stop."""
        try:
            self._set_up(load(read_frame(self._calls).body))
        except BaseException as error:  # Whatever it raised, no call may run without it.
            run_endings()
            self._send(Kind.INIT_FAILED, 0, pack_exception(error))
            return
        self._send(Kind.READY, 0, b"")
        while self._serve_one():
            pass
        self._hooks.end()

    def _set_up(self, setup: Setup) -> None:
        self._name = setup.name
        sys.argv[:] = setup.argv
        _advise_on_imports()
        if setup.hooks:
            self._hooks = load(setup.hooks)
        self._hooks.begin()

    def _serve_one(self) -> bool:
        frame = read_frame(self._calls)
        if frame.kind == Kind.CALL:
            self._call(frame)
        elif frame.kind == Kind.FUNCTION:
            self._functions.learn(frame.function, frame.body, replaces=frame.seq)
        return frame.kind != Kind.STOP

    def _call(self, frame: Packet) -> None:
        try:
            kind, body = Kind.VALUE, dump_answer(self._run(frame))
        except BaseException as error:
            # SystemExit and KeyboardInterrupt too: they end the call, not the thread.
            kind, body = Kind.ERROR, pack_exception(error)
        self._send(kind, frame.seq, body)

    def _run(self, frame: Packet) -> object:
        function, seq = self._functions.get(frame.function), frame.seq
        args, kwargs = load(frame.body)

        def report(done: float, total: float, note: str) -> None:
            self._send(Kind.PROGRESS, seq, dump_answer((done, total, note)))

        current = Current(self._name, report, lambda: self._flag[0] == seq, attempt=frame.attempt)
        return run_with(current, function, args, kwargs)

    def _send(self, kind: Kind, seq: int, body: bytes) -> None:
        frame = pack(kind, seq, body)
        with self._lock:
            write_all(self._answers, frame)


def _advise_on_imports() -> None:
    """Let errors of extension modules that refuse to be loaded here say what to do."""
    # This interpreter is ours alone, and the error often comes up wrapped in others:
    # only where it is made can it be told from any other ImportError.
    create = ExtensionFileLoader.create_module

    def create_module(loader: ExtensionFileLoader, spec: Any) -> Any:
        try:
            return create(loader, spec)
        except ImportError as error:
            if "subinterpreters" in str(error):
                error.add_note(_ADVICE)
            raise

    ExtensionFileLoader.create_module = create_module  # type: ignore[method-assign, assignment]
