"""The primitives of a context: lightwork's own, at its reach."""

import time
from typing import Any

import pytest

import lightwork as lw
from lightwork import multiprocessing as mp

KINDS = {
    "Lock": (),
    "RLock": (),
    "Semaphore": (2,),
    "BoundedSemaphore": (2,),
    "Condition": (),
    "Event": (),
    "Barrier": (1,),
    "Queue": (3,),
    "JoinableQueue": (3,),
    "SimpleQueue": (),
    "Value": ("i", 7),
    "Array": ("i", [1, 2]),
}


@pytest.fixture(params=["threads", "processes"])
def context(request: pytest.FixtureRequest) -> Any:
    return mp.get_context(request.param)


@pytest.mark.parametrize("kind", KINDS)
def test_a_primitive_lives_where_its_context_says(context: Any, kind: str) -> None:
    made = getattr(context, kind)(*KINDS[kind])

    assert isinstance(made, getattr(lw, kind.replace("SimpleQueue", "Queue")))
    assert made.where == context.where


@pytest.mark.parametrize("kind", KINDS)
def test_what_has_a_name_is_the_same_one(context: Any, kind: str) -> None:
    first, second = (getattr(context, kind)(*KINDS[kind], name=f"one {kind}") for _ in range(2))

    assert first.name == second.name == f"one {kind}"


@pytest.mark.parametrize("kind", ["Queue", "JoinableQueue", "SimpleQueue"])
def test_a_queue_that_was_closed_here_is_used_no_more_here(context: Any, kind: str) -> None:
    queue, other = (getattr(context, kind)(name=f"closed {kind}") for _ in range(2))
    queue.put(1)
    queue.close()
    queue.join_thread()
    queue.cancel_join_thread()

    for verb in (queue.get, queue.empty, lambda: queue.put(2)):
        with pytest.raises(ValueError, match="is closed"):
            verb()

    assert other.get() == 1


@pytest.mark.process
def test_a_balance_that_many_change_is_right_at_the_end(context: Any) -> None:
    balance, lock = context.Value("i", 0), context.Lock()

    def change(amount: int) -> None:
        for _ in range(200):
            with lock:
                balance.value += amount
            with lock:
                balance.value -= amount

    children = [context.Process(target=change, args=(amount,)) for amount in (5, 8)]
    for child in children:
        child.start()
    for child in children:
        child.join()

    assert balance.value == 0


def test_the_manager_of_threads_makes_plain_objects() -> None:
    with mp.get_context("threads").Manager() as manager:
        assert manager.list([1]) == [1]
        assert manager.dict(a=1) == {"a": 1}
        assert manager.Namespace(x=1).x == 1
        assert isinstance(manager.Queue(), lw.Queue)
        with pytest.raises(AttributeError, match="Elsewhere"):
            _ = manager.Elsewhere
    manager.start()
    manager.join()


@pytest.mark.process
def test_the_manager_of_processes_is_the_standard_librarys() -> None:
    with mp.Manager() as manager:
        shared = manager.dict(a=1)
        child = mp.Process(target=shared.update, args=({"b": 2},))
        child.start()
        child.join()

        assert dict(shared) == {"a": 1, "b": 2}


@pytest.mark.process
def test_a_child_that_is_killed_with_a_lock_leaves_it_to_the_next() -> None:
    lock = mp.Lock()
    ours, theirs = mp.Pipe()

    def hold() -> None:
        lock.acquire()
        theirs.send("held")
        time.sleep(600)

    child = mp.Process(target=hold)
    child.start()
    ours.recv()
    was_held = lock.locked()
    child.kill()
    child.join()

    assert was_held
    assert lock.acquire(timeout=30)
    assert lock.inherited
    lock.release()
