"""What must hold however threads are interleaved, and where there is no GIL at all."""

import logging
import mmap
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lightwork.codec import Codec
from lightwork.pool.call.free_threading import LockedCount, numbers
from lightwork.pool.call.future import Future
from lightwork.pool.call.local import Local
from lightwork.pool.executor.inline import InlineExecutor
from lightwork.pool.link.log_receiver import known_levels
from lightwork.pool.memory.large_value import watch
from lightwork.pool.process import executor as process
from lightwork.pool.process.executor import ProcessExecutor
from lightwork.pool.thread.timer_thread import TimerThread
from lightwork.pool.wire.pickling import dump
from lightwork.pool.wire.ref_child import ChildRef
from lightwork.store.sqlstore import open_store
from lightwork.tasks.task import Task
from lightwork.work.catalog import Catalog, tasks_of
from lightwork.work.incarnation import WorkerSettings
from lightwork.work.worker import WorkerLoop
from waiting import wait_until


@pytest.fixture(autouse=True)
def hasty_switches() -> Iterator[None]:
    """Have threads take turns as often as this interpreter can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def run_in_threads(act: Callable[[], object], count: int = 4) -> None:
    """Run it in so many threads that begin together; fail if one does."""
    failures: list[BaseException] = []
    start = threading.Barrier(count)

    def run() -> None:
        start.wait(20)
        try:
            act()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.fixture
def busy_module() -> Iterator[ModuleType]:
    """A module to which another thread adds names, and takes them away again."""
    module = ModuleType("busy_module")
    for number in range(5000):
        setattr(module, f"constant_{number}", number)
    sys.modules["busy_module"] = module
    is_over = threading.Event()

    def add_names() -> None:
        while not is_over.is_set():
            for number in range(50):
                setattr(module, f"new_{number}", number)
            for number in range(50):
                delattr(module, f"new_{number}")

    thread = threading.Thread(target=add_names)
    thread.start()
    yield module
    is_over.set()
    thread.join()
    del sys.modules["busy_module"]


@pytest.mark.parametrize("make", [numbers, LockedCount])
def test_no_number_comes_twice(make: Callable[[int], Iterator[int]]) -> None:
    count = make(7)
    seen: list[int] = []

    run_in_threads(lambda: seen.extend([next(count) for _ in range(2000)]))

    assert sorted(seen) == list(range(7, 8007))


def test_a_local_travels_while_its_module_gets_new_names(busy_module: ModuleType) -> None:
    made: Local[list[int]] = Local(list)
    made._home = "busy_module"
    busy_module.made = made  # type: ignore[attr-defined]

    for _ in range(300):
        assert b"busy_module" in dump(made)


def test_tasks_are_found_while_their_module_gets_new_names(busy_module: ModuleType) -> None:
    busy_module.square = Task(abs)  # type: ignore[attr-defined]

    for _ in range(300):
        assert list(tasks_of(busy_module)) == ["builtins:abs"]


def test_levels_are_read_while_threads_make_loggers() -> None:
    names = [f"lightwork.tests.gil.{number}" for number in range(3000)]
    thread = threading.Thread(target=lambda: [logging.getLogger(name) for name in names])

    thread.start()
    while thread.is_alive():
        known_levels()
    thread.join()
    for name in names:
        del logging.root.manager.loggerDict[name]


@pytest.mark.process
def test_a_program_may_end_while_a_thread_makes_executors() -> None:
    kept = [ProcessExecutor(1) for _ in range(60)]
    is_over = threading.Event()

    def make_executors() -> None:
        while not is_over.is_set():
            kept.append(ProcessExecutor(1))
            kept.pop(0)

    thread = threading.Thread(target=make_executors)
    thread.start()
    for _ in range(500):
        process._open_executors.finish_all()
    is_over.set()
    thread.join()

    for executor in kept:
        executor.shutdown()


def test_every_deadline_is_that_of_its_own_call() -> None:
    timers = TimerThread()
    late: list[Future[Any]] = []
    in_time: list[Future[Any]] = []

    def arm_some() -> None:
        for number in range(100):
            future: Future[Any] = Future()
            future.set_running_or_notify_cancel()
            timer = timers.arm(future, 0.01 if number % 2 else 60)
            if number % 2:
                late.append(future)
            else:
                in_time.append(future)
                timers.disarm(timer)

    run_in_threads(arm_some)

    wait_until(lambda: all(future.done() for future in late), "every late call has failed")
    assert not any(future.done() for future in in_time)
    timers.stop()


def test_every_mapping_is_let_go_of_once() -> None:
    fd = os.memfd_create("test")
    os.ftruncate(fd, 4096)
    let_go: list[int] = []

    def look_and_let_go() -> None:
        for number in range(200):
            watch(mmap.mmap(fd, 4096, access=mmap.ACCESS_COPY), lambda n=number: let_go.append(n))  # type: ignore[misc]

    run_in_threads(look_and_let_go)
    os.close(fd)

    assert sorted(let_go) == sorted(list(range(200)) * 4)


def test_a_reference_may_be_loaded_by_two_threads_at_once() -> None:
    pieces = [memoryview(dump({"a": 1}))]

    class LoadedMeanwhile(list[memoryview]):
        """Pieces that another thread has loaded by the time that somebody looks whether they are there."""

        def __bool__(self) -> bool:
            ref._pieces = []
            return True

    ref = ChildRef(LoadedMeanwhile(pieces))

    assert ref.get() == {"a": 1}


def test_no_request_to_stop_a_worker_is_lost(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/work.db")
    loop = WorkerLoop(
        store,
        InlineExecutor,
        slots=1,
        catalog=Catalog(),
        codec=Codec(),
        settings=WorkerSettings(),
    )

    def ask_often() -> None:
        for _ in range(1000):
            loop.stop()

    run_in_threads(ask_often)
    store.close()

    assert loop._stopping.asked == 4000
