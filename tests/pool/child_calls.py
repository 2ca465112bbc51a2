"""What children run in the tests of what they find: state of the process, and who they are."""

import atexit
import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any, NamedTuple


class Found(NamedTuple):
    """State of the process that calls share."""

    folder: str
    umask: int
    handlers: tuple[Any, ...]
    blocked: frozenset[int]
    alarm: tuple[float, float]


def look() -> Found:
    umask = os.umask(0o022)
    os.umask(umask)
    return Found(
        folder=str(Path.cwd()),
        umask=umask,
        handlers=tuple(signal.getsignal(number) for number in signal.valid_signals()),
        blocked=frozenset(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, ()))),
        alarm=signal.getitimer(signal.ITIMER_REAL),
    )


def look_at(_: int) -> Found:
    return look()


def change_all(folder: str) -> None:
    os.chdir("/")
    os.chdir(folder)
    os.umask(0o077)
    os.umask(0o007)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, print)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGUSR2})
    signal.setitimer(signal.ITIMER_REAL, 3600)
    signal.alarm(3600)


def change_all_and_fail(folder: str) -> None:
    change_all(folder)
    raise ValueError(folder)


def change_then_look(item: tuple[str, bool]) -> Found | None:
    """Change everything, or look; slow enough to be an item of a bundle."""
    folder, changes = item
    time.sleep(0.001)
    if changes:
        change_all(folder)
        return None
    return look()


def go(folder: str) -> None:
    os.chdir(folder)


def go_where_none_is_left(folder: str) -> None:
    os.chdir(folder)
    Path(folder).rmdir()


def variables(*names: str) -> list[str | None]:
    return [os.environ.get(name) for name in names]


def zone() -> str:
    return time.strftime("%Z", time.gmtime(0)) if "TZ" not in os.environ else time.tzname[0]


def who() -> tuple[str, int, int | None, str | None, bool]:
    """Return what multiprocessing says of this process and its parent."""
    own: Any = multiprocessing.current_process()
    parent: Any = multiprocessing.parent_process()
    return (
        own.name,
        own.pid or 0,
        parent and parent.pid,
        parent and parent.name,
        parent is not None and parent.is_alive(),
    )


def use_processes() -> int:
    """Return the exit code of a process of multiprocessing's own."""
    process = multiprocessing.get_context("spawn").Process(target=print)
    process.start()
    process.join()
    return process.exitcode if process.exitcode is not None else -1


def write_at_exit(path: str) -> int:
    atexit.register(Path(path).write_text, "ended")
    return os.getpid()
