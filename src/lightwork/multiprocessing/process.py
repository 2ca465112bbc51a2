"""Process: the standard library's process, made in the way that start_methods.py says.

Everything is the standard library's own: start, join, terminate, kill, exitcode, sentinel, name, pid, daemon,
authkey, and the registers behind active_children, current_process and parent_process, which are the same
whether one asks here or there. So processes of both kinds know each other.
"""

import signal
from multiprocessing import process
from typing import Any, ClassVar

from lightwork.multiprocessing import start_methods


class Process(process.BaseProcess):
    """A function, or `run` of a subclass, in a process of its own; see `multiprocessing.Process`.

    A lambda or local function as target travels by value. Locks, queues and values of lightwork
    travel as arguments, as do those of the standard library.

    Raises:
        RuntimeError: At `start`: it is to be forked, and this program has another thread.
    """

    # Of those of a context that has its own; None: what was chosen.
    _method: ClassVar[str | None] = None
    # The standard library's: it would force its own default context in the child.
    _start_method: ClassVar[str | None] = None

    @staticmethod
    def _Popen(process_obj: Any) -> Any:
        method = process_obj._method or start_methods.chosen() or start_methods.DEFAULT
        return start_methods.launch(process_obj, method)

    @staticmethod
    def _after_fork() -> None:
        start_methods.after_fork(process.current_process())

    def interrupt(self) -> None:
        """Send SIGINT: in the process KeyboardInterrupt is raised; as in Python 3.14.

        Raises:
            ValueError: It was closed.
        """
        self._check_closed()  # type: ignore[attr-defined]
        popen: Any = self._popen  # type: ignore[attr-defined]
        popen._send_signal(signal.SIGINT)


class ForkServerProcess(Process):
    """One that is always forked by the fork server."""

    _method = "forkserver"


class SpawnProcess(Process):
    """One that always has an interpreter of its own."""

    _method = "spawn"


class ForkProcess(Process):
    """One that is always forked, from a program without other threads."""

    _method = "fork"


OF_METHOD = {
    "forkserver": ForkServerProcess,
    "spawn": SpawnProcess,
    "fork": ForkProcess,
}
