"""InterpreterExecutor: calls on threads, each with a sub-interpreter that has its own GIL.

Pure Python code then runs on all CPUs within one process. Everything that is not
said here is the ThreadExecutor's: order, cancelling, time-outs, shutdown.

    submit ──bytes──> CallQueue ──> thread ──frames, pipe──> InterpreterLoop (interpreter_main.py)
                                      ^────frames, pipe────────┘

Two threads for one interpreter. One serves the futures and waits; the other, the
*loop's*, enters the sub-interpreter once and stays in it, so that what is local to
a thread lives as long as the interpreter. A round trip of a frame takes 6 us.

- Functions, arguments, results and exceptions travel as bytes, exactly as to
  children: arguments are pickled in the thread that submits, a function is sent
  once to each interpreter.
- Should the loop itself end, the call at hand fails with PoolError and the next
  one starts another interpreter.
- Nothing is isolated but Python objects: a crash, `os._exit` or a leak of one call
  is that of the whole program; a call cannot be killed.
- An extension module that is not made for sub-interpreters raises ImportError
  inside of the call, with a note that says what to do.
- A coroutine function has its interpreter for itself until it has ended.
- `put` saves nothing: a reference takes its object along with every call.
- Not possible inside: daemon threads, `os.fork` and what needs it.

`_InterpreterClient.lock` guards `_seq`, and the store of a number in the shared word: a late
request to stop one call must not overwrite one for the next.
"""

import os
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any, BinaryIO, Final, TypeVar

from lightwork.errors import PoolError, UsageError
from lightwork.pool.call.coroutine_function import is_coroutine_function
from lightwork.pool.call.future import Future
from lightwork.pool.call.options import CallOptions
from lightwork.pool.call.reporter import reporter_for
from lightwork.pool.call.run_coroutine import run_to_end
from lightwork.pool.call.thread_exit import call_logged
from lightwork.pool.executor.counts import check_max_workers
from lightwork.pool.executor.cpus import usable_cpus
from lightwork.pool.memory.shared_mmap import map_shared
from lightwork.pool.thread.executor import ThreadExecutor
from lightwork.pool.thread.interpreter_main import (
    FLAG_SIZE,
    Setup,
    pack,
    read_frame,
    write_all,
)
from lightwork.pool.thread.queue import Place, ThreadCall
from lightwork.pool.thread.subinterpreter import Subinterpreter, why_no_interpreters
from lightwork.pool.wire.frames import ATTEMPT_MAX, Kind, Packet
from lightwork.pool.wire.function import Function, FunctionTable
from lightwork.pool.wire.load_exception import unpack_exception
from lightwork.pool.wire.pickling import dump, load

T = TypeVar("T")

# Functions that an interpreter remembers; beyond, the oldest makes room.
_FUNCTIONS_MAX: Final = 512


class InterpreterExecutor(ThreadExecutor):
    """Runs calls on threads with sub-interpreters; Python 3.13 and later.

    Args:
        max_workers: Most interpreters at once; None: the CPUs this process may use.
        thread_name_prefix: Threads are named `prefix_N`.
        initializer: Called in each interpreter before its first call.
        initargs: Its arguments.
        finalizer: Called in each interpreter whose initializer succeeded, when it ends; its
            errors are logged, inside.
        finalargs: Its arguments.

    Raises:
        UsageError: max_workers is not positive, or this Python has no sub-interpreters.
        Exception: Whatever pickling the initializer or finalizer raised.
    """

    __module__ = "lightwork"

    def __init__(
        self,
        max_workers: int | None = None,
        thread_name_prefix: str = "",
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        *,
        finalizer: Callable[..., object] | None = None,
        finalargs: tuple[Any, ...] = (),
    ) -> None:
        if reason := why_no_interpreters():
            raise UsageError(
                f"{reason}: use ProcessExecutor for Python code that computes, "
                "ThreadExecutor for calls that wait"
            )
        super().__init__(
            check_max_workers(max_workers, usable_cpus),
            thread_name_prefix or f"lightwork-interpreter-{next(self._counter)}",
            initializer,
            initargs,
            finalizer=finalizer,
            finalargs=finalargs,
        )
        self._packed_hooks = dump(self._hooks) if self._hooks.are_given else b""
        self._functions = FunctionTable()

    def start_call(
        self,
        fn: Callable[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: CallOptions,
    ) -> Future[T]:
        """Take one call with explicit options; what cannot be pickled fails its future.

        Raises:
            RuntimeError: The executor was shut down, or the interpreter ends.
            ThreadPoolError: An initializer failed.
            UsageError: An async generator function has no result.
        """
        self._check_open()
        if is_coroutine_function(fn):
            fn, args, kwargs = run_to_end, (fn, args, kwargs), {}
        function: Any  # No callable: what _InterpreterClient runs.
        try:
            function = self._functions.find(fn)
            data = dump((args, kwargs))
        except Exception as error:
            failed: Future[T] = Future()
            failed.set_exception(error)
            return failed
        return super().start_call(function, (data,), {}, options)

    def _make_place(self, name: str) -> Place:
        return _InterpreterClient(Setup(name, list(sys.argv), self._packed_hooks))


class _InterpreterClient:
    """A sub-interpreter, its loop and the pipes to it; used by one thread."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._lock = threading.Lock()
        self._seq = 0
        # Numbers of the functions that the loop knows, the oldest first.
        self._known: dict[int, None] = {}
        self._failure = ""

    def begin(self) -> None:
        self._known.clear()
        self._start()
        try:
            self._send(Kind.READY, dump(self._setup))
            frame = self._read()
            if frame.kind == Kind.INIT_FAILED:
                raise unpack_exception(frame.body)
        except BaseException:
            self._close()
            raise

    def run(self, call: ThreadCall) -> Any:
        if not self._thread.is_alive():
            self._close()
            self.begin()
        seq = self._next_seq()
        report = reporter_for(call.options.on_progress, call.future)
        try:
            self._watch(call, seq)
            self._send_call(call, seq)
            while (frame := self._read()).kind == Kind.PROGRESS:
                if frame.seq == seq:
                    report(*load(frame.body))
            if frame.kind == Kind.ERROR:
                raise unpack_exception(frame.body)
            return load(frame.body)
        finally:
            # A kept future must not keep the interpreter.
            call.future.tell_unwanted = None
            # The same as in ThreadCall.run.
            del call, report

    def end(self) -> None:
        with suppress(PoolError):  # It has ended already.
            self._send(Kind.STOP, b"")
        call_logged(self._close, ())

    def _start(self) -> None:
        with ExitStack() as opened:
            calls, self._calls = _open_pipe(opened)
            answers_out, answers = _open_pipe(opened)
            flag = os.memfd_create("lightwork-flag", os.MFD_CLOEXEC)
            opened.callback(os.close, flag)
            os.ftruncate(flag, FLAG_SIZE)
            self._flag = memoryview(map_shared(flag, FLAG_SIZE)).cast("Q")
            self._interpreter = Subinterpreter()
            opened.callback(self._interpreter.close)
            self._thread = threading.Thread(
                target=self._stay, args=(calls, answers, flag), name=f"{self._setup.name}-loop"
            )
            self._thread.start()
            # From here on _stay and _close own them.
            opened.pop_all()
        self._answers: BinaryIO = os.fdopen(answers_out, "rb")

    def _next_seq(self) -> int:
        with self._lock:
            self._seq += 1
            return self._seq

    def _watch(self, call: ThreadCall, seq: int) -> None:
        """Have the loop told when nobody wants the outcome any more."""
        future = call.future
        tell = partial(self._tell_unwanted, seq)
        future.tell_unwanted = tell
        if call.options.timeout:
            future.add_done_callback(lambda _: tell())
        if future.is_unwanted():
            tell()  # It was just before.

    def _tell_unwanted(self, seq: int) -> None:
        with self._lock:
            if seq == self._seq:
                self._flag[0] = seq

    def _send_call(self, call: ThreadCall, seq: int) -> None:
        function: Function = call.fn
        (data,) = call.args
        attempt = min(call.options.attempt, ATTEMPT_MAX)
        frame = pack(Kind.CALL, seq, data, function=function.number, attempt=attempt)
        if function.number not in self._known:
            frame = self._introduce(function) + frame
        self._write(frame)

    def _introduce(self, function: Function) -> bytes:
        replaced = 0
        if len(self._known) >= _FUNCTIONS_MAX:
            replaced = next(iter(self._known))
            del self._known[replaced]
        self._known[function.number] = None
        return pack(Kind.FUNCTION, replaced, function.blob, function=function.number)

    def _send(self, kind: Kind, body: bytes) -> None:
        self._write(pack(kind, 0, body))

    def _write(self, frame: bytes) -> None:
        try:
            write_all(self._calls, frame)
        except BrokenPipeError:
            raise self._gone() from None

    def _read(self) -> Packet:
        try:
            return read_frame(self._answers)
        except EOFError:
            raise self._gone() from None

    def _gone(self) -> PoolError:
        self._thread.join()
        return PoolError(
            f"the sub-interpreter of {self._setup.name} ended although nobody told it to, and this "
            f"call has no outcome; the next one gets a new interpreter. {self._failure}".rstrip()
        )

    def _stay(self, calls: int, answers: int, flag: int) -> None:
        """Enter the sub-interpreter and stay until it is told to stop."""
        # A path that is not text would be no source.
        path = [str(entry) for entry in sys.path]
        try:
            self._failure = self._interpreter.exec(
                f"import sys; sys.path[:] = {path!r}\n"
                "from lightwork.pool.thread.interpreter_main import InterpreterLoop\n"
                f"InterpreterLoop({calls}, {answers}, {flag}).run()"
            )
        finally:
            # Whoever still waits for an answer must see that none can come.
            for fd in (calls, answers, flag):
                os.close(fd)

    def _close(self) -> None:
        self._thread.join()
        self._interpreter.close()
        os.close(self._calls)
        self._answers.close()


def _open_pipe(opened: ExitStack) -> tuple[int, int]:
    """Return the reading and the writing end of a new pipe."""
    ends = os.pipe()
    for fd in ends:
        opened.callback(os.close, fd)
    return ends
