"""Whoever forks knows whether a thread is inside SQLite, whatever has interrupted whom before."""

import threading

from interrupts import interrupted_at
from lightwork.store.sqlite.file import gate
from lightwork.store.sqlite.fork_gate import ForkGate
from lightwork.store.sqlstore import SqlStore
from store.steps import submitted


def is_empty(one: ForkGate, patience: float = 0.0) -> bool:
    try:
        return one.shut(patience)
    finally:
        one.open()


def test_an_interrupt_anywhere_in_a_read_leaves_nobody_inside(sqlite_url: str) -> None:
    step = 0
    with SqlStore(sqlite_url) as store:
        job_id = submitted(store)
        while interrupted_at(
            step := step + 1, lambda: store.states([job_id]), within=("store/sqlite/",)
        ):
            # The gate of the whole program: a thread of a test before this one may still be inside, for a moment.
            assert is_empty(gate, patience=30.0)
    assert step > 10


def test_a_thread_inside_is_waited_for_and_not_for_ever() -> None:
    one, is_inside, leaves = ForkGate(), threading.Event(), threading.Event()

    def stay() -> None:
        with one.inside():
            is_inside.set()
            assert leaves.wait(60)

    thread = threading.Thread(target=stay)
    thread.start()
    assert is_inside.wait(60)
    assert not is_empty(one)

    threading.Timer(0.01, leaves.set).start()
    assert one.shut(60.0)
    one.open()
    thread.join()


def test_who_comes_for_the_first_time_while_somebody_forks_waits_for_it() -> None:
    one, entered = ForkGate(), threading.Event()

    def enter() -> None:
        with one.inside():
            entered.set()

    assert one.shut(0.0)
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join(0.05)
    assert not entered.is_set()

    one.open()
    thread.join()
    assert entered.is_set()


def test_who_is_inside_may_enter_again_and_is_inside_until_the_end_of_both() -> None:
    one = ForkGate()
    with one.inside():
        with one.inside():
            pass
        assert not is_empty(one)
    assert is_empty(one)
