"""Launch: the process of the fork server, of which a program has one.

Starting it takes as long as all that a program must import for its first call. So whoever is
asked for a pool launches it first, and imports then: the two go on side by side. Hence
this file imports next to nothing: neither `typing` nor `socket` nor `subprocess`, 12, 5 and 8 ms.

The server's descriptor 0 is the line to it. It closes whatever else it has inherited, and
its children read /dev/null.
"""

import _signal  # type: ignore[import-not-found]
import _socket
import atexit
import os
import sys
from _thread import allocate_lock

from lightwork.errors import UsageError
from lightwork.pool.child.code_on_disk import begun_with, refuse_replaced_code
from lightwork.pool.child.fork_protocol import DEEPEST, level

# The path comes first: the server must find this package as its program did.
_PROGRAM = (
    "import sys; sys.path[:] = {path!r}; "
    "from lightwork.pool.child.fork_server import fork_server_main; "
    "fork_server_main({pid}, {level}, {code})"
)
# Options of the interpreter, any of which the server must be given too.
_FLAGS = (
    *("debug", "inspect", "interactive", "optimize", "no_user_site", "no_site"),
    *("ignore_environment", "verbose", "bytes_warning", "quiet", "isolated"),
    *("dev_mode", "safe_path"),
)


class Server:
    """The running server of this process."""

    def __init__(self) -> None:
        self.control, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
        program = _PROGRAM.format(
            path=importable(), pid=os.getpid(), level=level[0] + 1, code=begun_with[0]
        )
        try:
            self.pid = os.posix_spawn(
                sys.executable,
                [sys.executable, *_interpreter_flags(), "-c", program],
                os.environ,
                file_actions=[(os.POSIX_SPAWN_DUP2, theirs.fileno(), 0)],
                # Out of the terminal's foreground group: Ctrl-C is for the program.
                setpgroup=0,
                # Python ignores these for itself, and other programs expect to be ended by them.
                setsigdef=(_signal.SIGPIPE, _signal.SIGXFSZ),
            )
        except BaseException:
            self.control.close()
            raise
        finally:
            theirs.close()

    def bury(self) -> None:
        """Reap the server, which somebody has killed."""
        self.control.close()
        try:
            os.waitpid(self.pid, 0)
        except ChildProcessError:
            return


def importable() -> list[str]:
    """Return the part of `sys.path` that Python looks at, which ignores whatever is no text."""
    entries: list[object] = [*sys.path]
    return [entry for entry in entries if isinstance(entry, str)]


_lock = allocate_lock()
# Guarded by _lock. Process-wide because a fork server is: one per program.
_server: Server | None = None


def launch(dead: Server | None = None) -> Server:
    """Return this process's fork server, starting one if need be; `dead` is none any more.

    Raises:
        UsageError: Pools are nested as deep as only a mistake nests them.
        PoolError: It would import other code than this program has.
    """
    global _server  # noqa: PLW0603 - one per process, see above
    if level[0] >= DEEPEST:
        raise UsageError(
            f"a process pool inside of a process pool, {DEEPEST} deep: most likely a module makes "
            "one while it is imported, which every child does in turn. Make it in a function, "
            'or below `if __name__ == "__main__":`'
        )
    with _lock:
        if _server is not None and _server is dead:
            _server.bury()
            _server = None
        if _server is None:
            refuse_replaced_code()
            _server = Server()
        return _server


def _interpreter_flags() -> list[str]:
    if not (sys.warnoptions or sys._xoptions or any(getattr(sys.flags, name) for name in _FLAGS)):
        # Often asked for by PYTHONDONTWRITEBYTECODE, which the server reads itself.
        return ["-B"] if sys.flags.dont_write_bytecode else []
    # 8 ms to import, and most programs are started without such options.
    import subprocess  # noqa: PLC0415 - see above

    flags: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    return flags


def _close_server() -> None:
    if _server is not None:
        _server.control.close()


def _forget_server() -> None:
    global _lock, _server  # noqa: PLW0603 - after a fork nothing here is ours
    _lock = allocate_lock()
    _server = None


os.register_at_fork(after_in_child=_forget_server)
if not level[0]:
    # It would end with us anyway; this only keeps the interpreter from warning, which a
    # child never lives to do.
    atexit.register(_close_server)
