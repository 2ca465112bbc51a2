"""The host of this program: what Ctrl-C, signals, forks and the collector leave behind."""

import gc
import queue
import signal
import subprocess
import sys
import uuid
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import lightwork as lw
from interrupts import interrupted_at
from lightwork.sync.local.host import host
from sync.together import PATIENCE

OURS = ("lightwork/sync/", "lightwork/machines/", "lightwork/locks/")

Act = Callable[[], object]
Check = Callable[[], None]


def lock_that_is_free() -> tuple[Act, Check]:
    lock, taken = lw.Lock(where="threads"), []

    def act() -> None:
        with_lock = lock.__enter__()
        taken.append(with_lock)

    def check() -> None:
        assert lock.locked() == bool(taken)

    return act, check


def lock_that_is_held() -> tuple[Act, Check]:
    lock = lw.Lock(where="threads")
    lock.acquire()

    def check() -> None:
        lock.release()
        assert not lock.locked()

    return lambda: lock.acquire(timeout=0.001), check


def reentrant_lock() -> tuple[Act, Check]:
    lock, taken = lw.RLock(where="threads"), []

    def act() -> None:
        taken.append(lock.acquire())
        taken.append(lock.acquire())

    def check() -> None:
        assert lock._recursion_count() == len(taken)

    return act, check


def release() -> tuple[Act, Check]:
    lock = lw.Lock(where="threads")
    lock.acquire()

    def check() -> None:
        if lock.locked():
            lock.release()
        assert lock.acquire(blocking=False)

    return lock.release, check


def semaphore() -> tuple[Act, Check]:
    one = lw.Semaphore(2, where="threads")
    taken: list[bool] = []

    def check() -> None:
        assert one.get_value() == 2 - len(taken)

    return lambda: taken.append(one.acquire()), check


def item() -> tuple[Act, Check]:
    q: lw.Queue[int] = lw.Queue(where="threads")
    q.put_many([1, 2])
    got: list[int] = []

    def check() -> None:
        left = q.get_many(2, block=False) if len(got) < 2 else []
        assert [*got, *left] == [1, 2]

    return lambda: got.append(q.get()), check


def unacked_item() -> tuple[Act, Check]:
    q: lw.Queue[int] = lw.Queue(where="threads")
    q.put(1)
    got: list[lw.Unacked[int]] = []

    def check() -> None:
        assert q._state()[4] == len(got)

    return lambda: got.append(q.get(ack=False)), check


def no_item() -> tuple[Act, Check]:
    q: lw.Queue[int] = lw.Queue(where="threads")

    def act() -> None:
        with pytest.raises(queue.Empty):
            q.get(timeout=0.001)

    def check() -> None:
        q.put(1)
        assert q.qsize() == 1

    return act, check


def notification() -> tuple[Act, Check]:
    condition = lw.Condition(where="threads")
    condition.acquire()

    def check() -> None:
        condition.release()
        assert not condition._lock.locked()
        # Nobody is on the list any more.
        assert host.ask(condition._place, "notify_all") == 0

    return lambda: condition.wait(0.001), check


def action_of_a_barrier() -> tuple[Act, Check]:
    barrier = lw.Barrier(1, lambda: None, where="threads")

    def check() -> None:
        # Nobody is waited for who does not know it.
        primitive: Any = barrier._kept
        assert primitive.state.acting is None

    return barrier.wait, check


PREPARED = [
    *(lock_that_is_free, lock_that_is_held, reentrant_lock, release, semaphore),
    *(item, unacked_item, no_item, notification, action_of_a_barrier),
]


@pytest.mark.parametrize("prepare", PREPARED)
def test_a_ctrl_c_leaves_nothing_held_and_nothing_lost(
    prepare: Callable[[], tuple[Act, Check]],
) -> None:
    for step in range(1, 1000):
        act, check = prepare()

        if not interrupted_at(step, act, within=OURS):
            break
        check()
    else:
        pytest.fail("it never ends")

    assert step > 5


@pytest.fixture
def alarm() -> Iterator[Callable[[Callable[[], object]], None]]:
    before = signal.getsignal(signal.SIGALRM)

    def call(act: Callable[[], object]) -> None:
        signal.signal(signal.SIGALRM, lambda *_: act())
        signal.setitimer(signal.ITIMER_REAL, 0.01)

    yield call
    signal.signal(signal.SIGALRM, before)


def test_a_signal_handler_may_answer_its_own_thread(
    alarm: Callable[[Callable[[], object]], None],
) -> None:
    event = lw.Event(where="threads")
    alarm(event.set)

    assert event.wait(PATIENCE)


def test_a_finalizer_may_ask_in_the_middle_of_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    semaphore = lw.Semaphore(5, where="threads")
    primitive: Any = semaphore._kept
    step = type(primitive.machine).step
    depths: list[int] = []

    def step_with_another_inside(*args: Any) -> Any:
        after = step(*args)
        if not depths:
            depths.append(1)
            semaphore.acquire()
        return after

    monkeypatch.setattr(type(primitive.machine), "step", step_with_another_inside)

    semaphore.acquire()

    assert semaphore.get_value() == 3


def test_what_nobody_uses_is_forgotten_unless_it_has_a_name() -> None:
    name = uuid.uuid4().hex
    unnamed, named = lw.Condition(where="threads"), lw.Lock(name, where="threads")
    kept = weakref.ref(unnamed._kept)
    named.acquire()

    del unnamed, named
    gc.collect()

    assert kept() is None
    assert lw.Lock(name, where="threads").locked()


FORK = """
import os, signal, threading
import lightwork as lw

lock, held = lw.Lock(where="threads"), lw.Event(where="threads")
q, flag, count = lw.Queue(where="threads"), lw.Event(where="threads"), lw.Value("i", 7, where="threads")
barrier = lw.Barrier(2, where="threads")
q.put("item")
flag.set()

def hold():
    lock.acquire()
    held.set()
    try:
        barrier.wait()
    finally:
        lock.release()

thread = threading.Thread(target=hold)
thread.start()
held.wait()
pid = os.fork()
if not pid:
    signal.alarm(30)
    assert lock.acquire(blocking=False), "what a thread held that is not here is held"
    assert (q.get(), flag.is_set(), count.value) == ("item", True, 7)
    os._exit(0)
_, status = os.waitpid(pid, 0)
assert os.waitstatus_to_exitcode(status) == 0
assert lock.locked(), "the child has let go of what its parent holds"
barrier.wait()
thread.join()
"""


@pytest.mark.process
def test_a_forked_child_has_what_is_there_and_nobody_who_holds_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORK], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 0, done.stderr


def test_the_end_of_the_host_lets_go_of_all() -> None:
    lock = lw.Lock(where="threads")
    lock.acquire()

    host.close()

    assert lock.acquire(blocking=False)
    assert lock.inherited
