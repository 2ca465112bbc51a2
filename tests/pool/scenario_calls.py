"""Calls that do to their own process what they should not; importable by children."""

import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import calls

from lightwork.pool.call.current import current

ALL_SIGNALS = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}


def ignore_everything(path: str) -> None:
    """Be deaf to every signal that one can be deaf to, and stay."""
    for number in ALL_SIGNALS:
        if number < signal.SIGRTMIN:
            signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, ALL_SIGNALS)
    calls.mark_and_sleep(path, 1000)


def change_signals() -> int:
    """Return with all signals ignored and an alarm set."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    return os.getpid()


def stop_myself(path: str) -> str:
    calls.mark(path)
    os.kill(os.getpid(), signal.SIGSTOP)
    return "went on"


def close_all_descriptors(n: int) -> int:
    os.closerange(0, 4096)
    return 2 * n


def recurse(depth: int = 0) -> int:
    return recurse(depth + 1) + 1


class Deep:
    """Its text is that of another one, and so on: deep in C, not in Python."""

    def __repr__(self) -> str:
        return repr([Deep()])


def overflow_stack() -> NoReturn:
    """Use more stack than there is."""
    _, hard = resource.getrlimit(resource.RLIMIT_STACK)
    resource.setrlimit(resource.RLIMIT_STACK, (1 << 16, hard))
    sys.setrecursionlimit(1 << 30)
    repr(Deep())
    raise AssertionError


# --- forks


def fork_and_live(path: str) -> int:
    """Leave a process that holds all that its parent has; return it."""
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        calls.wait_for(path)
        os._exit(0)
    return pid


def fork_and_return(path: str, result: object) -> object:
    """Return in two processes."""
    if os.fork() == 0:
        calls.mark(path)
    return result


def fork_or_not(item: tuple[str, int, bool]) -> object:
    path, n, forks = item
    return fork_and_return(path, n) if forks else n


def fork_or_not_at(path: str, n: int) -> object:
    return fork_or_not((path, n, n % 100 == 50))


async def fork_and_return_later(path: str, result: object) -> object:
    return fork_and_return(path, result)


def fork_and_report() -> str:
    """Let a fork say more than the outbox holds, in the name of this process."""
    pid = os.fork()
    if pid == 0:
        for _ in range(3000):
            current().progress(1, 1, "x" * 40)
        os._exit(0)
    os.waitpid(pid, 0)
    return "done"


# --- threads


def _report_until(path: str, report: Callable[..., None]) -> None:
    while not Path(path).exists():
        report(1, 1, "x" * 40)


def leave_reporting_thread(path: str) -> None:
    """Leave a thread that reports in the name of a call that is over."""
    threading.Thread(target=_report_until, args=(path, current().progress)).start()


def report_from_threads(count: int) -> str:
    """Report from threads and from the call itself, at once, the calls' results between."""
    report = current().progress

    def say_all() -> None:
        for n in range(count):
            report(1, 1, f"{n}")

    threads = [threading.Thread(target=say_all) for _ in range(3)]
    for thread in threads:
        thread.start()
    say_all()
    for thread in threads:
        thread.join()
    return "done"


async def report_from_thread_beside(count: int) -> str:
    import asyncio

    await asyncio.to_thread(report_from_threads, count)
    return "done"


def sleep_and_return(seconds: float, value: Any) -> Any:
    time.sleep(seconds)
    return value
