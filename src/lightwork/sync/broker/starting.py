"""Starting: a connection to this user's broker, which is started if there is none.

The broker is who holds the lock of a file (flock). Whoever finds no broker tries to get that lock: one does, makes
the socket, and hands both to the process that it starts; the others try to connect again. So there
is never a second one, a starter that is killed in the middle leaves the lock to the next, and what a killed broker left is
swept by who starts anew. The socket listens before the process has begun: nobody waits for a file to appear.

The broker is no child of the program, which would have to reap it: the process that is started forks it
and ends.
"""

import contextlib
import fcntl
import os
import socket
import sys
import time
from typing import Final

from lightwork.errors import StoreUnavailable
from lightwork.sync.broker.protocol import LOCK, LOG, SOCKET, SilentError

# Of a broker that starts on a busy machine; seconds.
PATIENCE: Final = 30.0
# Of a connection that finds a long line of others before it; seconds.
_IN_LINE: Final = 1.0
_PAUSE: Final = 0.001
_PROGRAM: Final = (
    "import os; os.fork() and os._exit(0); os.setsid(); import sys; sys.path[:] = {path!r}; "
    "from lightwork.sync.broker.main import broker_main; broker_main({folder!r})"
)
# What the loader of the interpreter may need; the rest of the environment is not the broker's business.
_VARIABLES: Final = ("PATH", "LD_LIBRARY_PATH", "PYTHONHOME")

# Descriptors of a start in progress: a child forked meanwhile must not keep the lock.
_in_progress: set[int] = set()


def connect(folder: int, path: str) -> socket.socket:
    """Return a socket to the broker of this folder, starting one if need be.

    Raises:
        StoreUnavailable: It cannot be started, or does not come up.
        SilentError: It is there, and has not taken a thousand connections before this one.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        line = connect_running(folder)
        if line is not None:
            return line
        if not _start(folder, path):
            # Somebody else is about to.
            time.sleep(_PAUSE)
        if time.monotonic() > deadline:
            raise StoreUnavailable(
                f"the broker of {path!r} has not come up within {PATIENCE:g} s; see {path}/{LOG}"
            )


def connect_running(folder: int) -> socket.socket | None:
    """Return a socket to the broker of this folder; None: there is none; SilentError as for `connect`."""
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _connect(line, _address(folder))
    except (FileNotFoundError, ConnectionRefusedError):
        line.close()
        return None
    except BaseException:
        line.close()
        raise
    return line


def _connect(line: socket.socket, address: str) -> None:
    end = time.monotonic() + _IN_LINE
    # The kernel would wait without end.
    line.setblocking(False)
    while True:
        try:
            line.connect(address)
        except BlockingIOError:
            if time.monotonic() > end:
                raise SilentError from None
            time.sleep(_PAUSE)
        else:
            line.setblocking(True)
            return


def broker_shown(folder: int) -> tuple[str, bool]:
    """Return which process the broker of this folder is, as a text, and whether it is stopped."""
    try:
        lock = os.open(LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        with open(lock, encoding="ascii") as file:  # noqa: PTH123 - a descriptor
            pid = int(file.read())
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:  # noqa: PTH123 - pathlib: 10 ms to import
            state = file.read().rpartition(")")[2].split()[0]
    except (OSError, ValueError, IndexError):
        # It has just begun, or is gone, or the system does not say.
        return "the broker of this machine", False
    return f"the broker of this machine (process {pid})", state in {"T", "t"}


def _address(folder: int) -> str:
    # The name of a socket has room for 107 bytes, and the folder's may have more.
    return f"/proc/self/fd/{folder}/{SOCKET}"


def _start(folder: int, path: str) -> bool:
    """Start the broker, unless there is one or somebody else starts it; return whether it was started."""
    mode = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    lock = os.open(LOCK, mode, 0o600, dir_fd=folder)
    _in_progress.add(lock)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        _make(folder, path, lock)
        return True
    finally:
        _in_progress.discard(lock)
        os.close(lock)


def _make(folder: int, path: str, lock: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(SOCKET, dir_fd=folder)
    log = os.open(
        LOG,
        os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC,
        0o600,
        dir_fd=folder,
    )
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(_address(folder))
            listener.listen(1024)
            _in_progress.add(listener.fileno())
            try:
                _spawn(path, listener.fileno(), lock, log)
            finally:
                _in_progress.discard(listener.fileno())
    except OSError as error:
        raise StoreUnavailable(f"the broker of {path!r} cannot be started: {error}") from error
    finally:
        os.close(log)


def _spawn(path: str, listener: int, lock: int, log: int) -> None:
    # Above those onto which they are moved, which a program may have closed.
    moved = [fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 3) for number in (listener, lock, log)]
    _in_progress.update(moved)
    try:
        pid = os.posix_spawn(
            sys.executable,
            # Without `site`: what it would find is in the path already.
            [
                sys.executable,
                "-S",
                *_flags(),
                "-c",
                _PROGRAM.format(path=_importable(), folder=path),
            ],
            {name: os.environ[name] for name in _VARIABLES if name in os.environ},
            file_actions=[(os.POSIX_SPAWN_DUP2, number, to) for to, number in enumerate(moved)],
            # Out of the terminal's foreground group: Ctrl-C is for the program.
            setpgroup=0,
            setsigmask=(),
        )
    finally:
        for number in moved:
            _in_progress.discard(number)
            os.close(number)
    try:
        os.waitpid(pid, 0)
    except ChildProcessError:
        return  # The program lets the system reap its children.


def _flags() -> list[str]:
    return ["-B"] if sys.flags.dont_write_bytecode else []


def _importable() -> list[str]:
    # Where this package is, first: an import hook may have found it, which the broker does not have.
    package = __file__.removesuffix("/lightwork/sync/broker/starting.py")
    entries: list[object] = [*sys.path]
    return [package, *(entry for entry in entries if isinstance(entry, str))]


def _be_forked() -> None:
    for descriptor in _in_progress:
        os.close(descriptor)
    _in_progress.clear()


os.register_at_fork(after_in_child=_be_forked)
