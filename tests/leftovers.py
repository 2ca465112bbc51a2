"""Leftovers: what a test has opened and not closed, of all that this process holds.

Descriptors (by what they lead to), threads, children, file locks and maps before whose
end a program may not end are looked at before and after a test. What is new must be
gone: a thread ends, and a child is reaped, a moment after whoever was told to end it
has gone on, so what is left is looked at again until it has gone or the time is up. A
test that leaves nothing is looked at twice and waits for nothing: 0.5 ms.

Shared by the whole run, and therefore no test's: lightwork's fork server with the
line to it, the fork server and the resource tracker that multiprocessing starts once, with theirs; and
files named `shared`, of executors of a whole folder, which open more of them when they need them.
"""

import contextlib
import gc
import importlib
import multiprocessing.forkserver
import multiprocessing.resource_tracker
import os
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from lightwork.pool.link import launch
from lightwork.pool.map import open_maps

# How long what was told to end may take on a machine busier than its cores.
_PATIENCE: Final = 20.0
_PAUSE: Final = 0.01
# Numbers in what a descriptor leads to say which one of its kind it is.
_WHICH: Final = re.compile(r"\[\d+\]")
_SHARED: Final = "/shared."
# What a pool opens for a child that it starts, which it may do at any time.
_OF_CHILDREN: Final = ("descriptor pipe:", "descriptor /memfd:lightwork", "child ")
_outliving: list[object] = []

# Where uvloop is there, uvicorn takes it; the first of its loops opens two pipes that live as long as the process.
with contextlib.suppress(ImportError):
    importlib.import_module("uvloop").new_event_loop().close()


@contextmanager
def outliving() -> Iterator[None]:
    """In the block an executor lives that is no test's: it may replace a child during any of them."""
    one = object()
    _outliving.append(one)
    try:
        yield
    finally:
        _outliving.remove(one)


@contextmanager
def nothing_left_by(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail if the test leaves anything behind; one that uses what outlives it may."""
    with contextlib.nullcontext() if _has_shared(request) else no_leftovers():
        yield


@contextmanager
def no_leftovers() -> Iterator[None]:
    """Fail if the block leaves anything behind."""
    before = _held()
    threads = set(threading.enumerate())
    yield
    deadline = time.monotonic() + _PATIENCE
    while left := _new(before, threads):
        if time.monotonic() > deadline:
            pytest.fail("left behind: " + ", ".join(left))
        # What only a cycle of references keeps is let go of by the collector.
        gc.collect()
        time.sleep(_PAUSE)


def _has_shared(request: pytest.FixtureRequest) -> bool:
    """Whether it uses what outlives it, which may start threads and children when it needs them."""
    fixtures = request.node._fixtureinfo.name2fixturedefs.values()
    # Those of plugins have no place below the tests.
    return any(found[-1].scope != "function" and found[-1].baseid for found in fixtures)


def _new(before: Counter[str], threads: set[threading.Thread]) -> list[str]:
    started = set(threading.enumerate()) - threads
    # Whoever logs in the last moment of a thread is taken for another by logging: no thread.
    started = {thread for thread in started if not isinstance(thread, threading._DummyThread)}
    found = [f"thread {thread.name}" for thread in started]
    new = (_held() - before).items()
    if _outliving:
        new = {what: count for what, count in new if not what.startswith(_OF_CHILDREN)}.items()
    return found + [f"{count} x {what}{_command(what)}" for what, count in new]


def _held() -> Counter[str]:
    maps = [f"map that keeps the program {one}" for one in open_maps._busy]
    return Counter([*_descriptors(), *_children(), *_locks(), *maps])


def _descriptors() -> Iterator[str]:
    shared = _shared_descriptors()
    folders = tuple(_brokers())
    for number in os.listdir("/proc/self/fd"):  # noqa: PTH208 - twice a test, and three times as fast
        # Closed meanwhile: that which lists the folder, always.
        with contextlib.suppress(OSError):
            target = os.readlink(f"/proc/self/fd/{number}")  # noqa: PTH115 - three times as fast
            is_shared = int(number) in shared or _SHARED in target or target.startswith(folders)
            if not is_shared:
                yield f"descriptor {_WHICH.sub('', target)}"


def _children() -> Iterator[str]:
    shared = _shared_children()
    for thread in os.listdir("/proc/self/task"):  # noqa: PTH208 - the same
        with contextlib.suppress(OSError):
            for pid in Path(f"/proc/self/task/{thread}/children").read_text().split():
                if int(pid) not in shared:
                    yield f"child {pid}"


def _locks() -> Iterator[str]:
    own = str(os.getpid())
    for line in Path("/proc/locks").read_text().splitlines():
        words = line.split()
        if own in words:
            _, kind, _, mode, _, inode, *_ = words
            yield f"lock {kind} {mode} {inode}"


def _command(what: str) -> str:
    """Return what a child runs, where it is one; not before it is told: it changes at exec."""
    kind, _, pid = what.partition(" ")
    with contextlib.suppress(OSError):
        if kind == "child":
            command = Path(f"/proc/{pid}/cmdline").read_text()
            return f" ({command[:200]})".replace("\0", " ")
    return ""


def _brokers() -> dict[str, Any]:
    """Return the brokers of this process by folder; it has none if it has not named their module."""
    # Not imported: pythons that judge may lack what it needs.
    client = sys.modules.get("lightwork.sync.broker.client")
    return getattr(client, "_brokers", {})


def _shared_descriptors() -> set[int]:
    server = launch._server
    ours = set() if server is None else {server.control.fileno()}
    sessions = [broker._session for broker in _brokers().values() if broker._session]
    lines = {line.socket.fileno() for session in sessions for line in session.lines}
    return ours | lines | {_tracker()._fd, _standard_server()._forkserver_alive_fd}


def _shared_children() -> set[int]:
    server = launch._server
    ours = set() if server is None else {server.pid}
    return ours | {_tracker()._pid, _standard_server()._forkserver_pid}


def _standard_server() -> Any:
    return multiprocessing.forkserver._forkserver


def _tracker() -> Any:
    return multiprocessing.resource_tracker._resource_tracker
