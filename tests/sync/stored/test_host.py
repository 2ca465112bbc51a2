"""What a host in a store promises, on every database and through a server."""

import os
import signal
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor

import pytest

from interrupts import interrupted_at
from lightwork.errors import LockLost, StoreError, UsageError
from lightwork.machines.shapes import Plain
from lightwork.store.contract import Store
from lightwork.sync.host import Place, Refusal
from lightwork.sync.stored.host import StoredHost
from store.steps import execute
from sync.stored.conftest import OpenHost
from sync.stored.programs import LOCK
from waiting import wait_until


def give_back(_: Plain) -> tuple[str, tuple[Plain, ...]]:
    return "release", ()


def waiting(store: Store) -> int:
    return sum(view.waiting for view in store.primitives())


def end_leases(store: Store, host: StoredHost) -> None:
    """Let a session run out, for the store and for the process that has it."""
    execute(
        store,
        "UPDATE primitive_session SET lease_until = 1 WHERE id = :id",
        {"id": host.session},
    )


def test_a_lock_is_taken_and_let_go(open_host: OpenHost) -> None:
    host = open_host()

    assert host.ask(LOCK, "acquire") == (1, False)
    assert host.ask(LOCK, "locked") is True
    assert host.ask(LOCK, "release") is None
    assert host.ask(LOCK, "acquire") == (2, False)


def test_a_release_hands_over_to_who_waits(open_host: OpenHost, store: Store) -> None:
    holder, waiter = open_host(), open_host()
    holder.ask(LOCK, "acquire")
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(waiter.ask, LOCK, "acquire")
        wait_until(lambda: waiting(store) == 1, "it waits")

        holder.ask(LOCK, "release")

        assert answer.result(30) == (2, False)


def test_threads_of_one_process_wait_for_one_another(open_host: OpenHost) -> None:
    host, count = open_host(), 0

    def work(_: int) -> None:
        nonlocal count
        for _ in range(5):
            host.ask(LOCK, "acquire")
            before = count
            host.ask(LOCK, "locked")
            count = before + 1
            host.ask(LOCK, "release")

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))

    assert count == 20


@pytest.mark.parametrize("timeout", [0.0, 0.05])
def test_who_waits_too_long_is_told_and_waits_no_more(
    open_host: OpenHost, store: Store, timeout: float
) -> None:
    holder, waiter = open_host(), open_host()
    holder.ask(LOCK, "acquire")

    with pytest.raises(TimeoutError, match="lock 'it'"):
        waiter.ask(LOCK, "acquire", timeout=timeout)

    assert waiting(store) == 0
    holder.ask(LOCK, "release")
    assert holder.ask(LOCK, "acquire", timeout=0.0) == (2, False)


def test_a_no_of_the_machine_is_a_refusal(open_host: OpenHost) -> None:
    with pytest.raises(Refusal) as refused:
        open_host().ask(LOCK, "release")

    assert refused.value.reason == "not held"


def test_another_spec_is_refused(open_host: OpenHost) -> None:
    host = open_host()
    host.ask(LOCK, "locked")

    with pytest.raises(UsageError, match="other arguments"):
        host.ask(Place("lock", "it", (True,)), "locked")


def test_what_was_removed_is_made_anew(open_host: OpenHost, store: Store) -> None:
    host = open_host()
    host.ask(LOCK, "acquire")
    store.remove_primitive("lock", "it")

    assert host.ask(LOCK, "acquire") == (1, False)


def test_who_waits_for_what_is_removed_waits_for_the_new_one(
    open_host: OpenHost, store: Store
) -> None:
    holder, waiter = open_host(), open_host()
    holder.ask(LOCK, "acquire")
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(waiter.ask, LOCK, "acquire")
        wait_until(lambda: waiting(store) == 1, "it waits")

        store.remove_primitive("lock", "it")

        assert answer.result(30) == (1, False)


def test_more_than_there_are_connections_wait_and_the_release_comes_through(
    open_host: OpenHost, store: Store
) -> None:
    host, many = open_host(), 30
    host.ask(LOCK, "acquire")

    def take() -> None:
        host.ask(LOCK, "acquire")
        host.ask(LOCK, "release")

    with ThreadPoolExecutor(many) as threads:
        taken = [threads.submit(take) for _ in range(many)]
        wait_until(lambda: waiting(store) == many, "all wait", within=60)
        host.ask(LOCK, "release")
        for one in taken:
            one.result(60)

    assert store.primitives()[0].token == many + 1


def test_numbers_of_threads_that_have_ended_are_used_again(
    open_host: OpenHost, store: Store
) -> None:
    host = open_host()
    for _ in range(5):
        thread = threading.Thread(target=host.ask, args=(LOCK, "try"))
        thread.start()
        thread.join()

    assert host._line().number == 1


# Sessions.


def test_a_closed_host_has_let_go_of_all(open_host: OpenHost) -> None:
    leaving, staying = open_host(), open_host()
    leaving.ask(LOCK, "acquire")

    leaving.close()
    leaving.close()

    assert staying.ask(LOCK, "acquire", timeout=0.0) == (2, True)
    with pytest.raises(StoreError, match="closed"):
        leaving.ask(LOCK, "release")


def test_who_gives_back_what_was_lost_is_told_so_once(open_host: OpenHost, store: Store) -> None:
    host, other = open_host(), open_host()
    host.ask(LOCK, "acquire")
    before = host.session
    end_leases(store, host)

    assert other.ask(LOCK, "acquire") == (2, True)
    with pytest.raises(LockLost, match="lock 'it'"):
        host.ask(LOCK, "release")

    assert host.session != before
    other.ask(LOCK, "release")
    assert host.ask(LOCK, "acquire") == (3, False)
    assert host.ask(LOCK, "release") is None


def test_whoever_else_held_something_is_told_at_its_own_next_use(
    open_host: OpenHost, store: Store
) -> None:
    host, second = open_host(), Place("lock", "second", (False,))
    host.ask(LOCK, "acquire")
    host.ask(second, "acquire")
    end_leases(store, host)
    with pytest.raises(LockLost):
        host.ask(LOCK, "release")

    with pytest.raises(LockLost):
        host.ask(second, "release")

    assert host.ask(second, "acquire") == (2, True)


def test_who_waits_is_told_that_its_session_is_lost(open_host: OpenHost, store: Store) -> None:
    holder, waiter = open_host(), open_host()
    holder.ask(LOCK, "acquire")
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(waiter.ask, LOCK, "acquire")
        wait_until(lambda: waiting(store) == 1, "it waits")

        end_leases(store, waiter)

        with pytest.raises(LockLost):
            answer.result(30)


def test_a_session_is_renewed_as_long_as_its_process_lives(
    open_host: OpenHost, store: Store
) -> None:
    host, other = open_host(lease=0.6), open_host()
    host.ask(LOCK, "acquire")

    with pytest.raises(TimeoutError):
        other.ask(LOCK, "acquire", timeout=1.5)

    assert host.ask(LOCK, "release") is None


def status_of_a_release_in_a_fork(host: StoredHost) -> int:
    """0: it was held by another; 3: somebody was in SQLite for as long as a fork waits, which the child says."""
    pid = os.fork()
    if pid == 0:
        status = 2
        try:
            host.ask(LOCK, "release")
            status = 1
        except Refusal as error:
            status = 0 if error.reason == "held by another" else 1
        except StoreError as error:
            traceback.print_exc()
            status = 3 if "forked while the file was open" in str(error) else 2
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_forked_child_has_a_session_of_its_own(open_host: OpenHost) -> None:
    host = open_host()
    host.ask(LOCK, "acquire")

    found = (status_of_a_release_in_a_fork(host) for _ in range(5))

    assert next((one for one in found if one != 3), 3) == 0
    assert host.ask(LOCK, "release") is None


def test_what_runs_on_a_signal_asks_beside_who_waits(open_host: OpenHost, store: Store) -> None:
    holder, waiter = open_host(), open_host()
    holder.ask(LOCK, "acquire")
    heard: list[Plain] = []
    before = signal.signal(signal.SIGUSR1, lambda *_: heard.append(waiter.ask(LOCK, "locked")))

    def hand_over() -> None:
        wait_until(lambda: waiting(store) == 1, "it waits")
        os.kill(os.getpid(), signal.SIGUSR1)
        wait_until(lambda: heard, "the signal is heard")
        holder.ask(LOCK, "release")

    try:
        with ThreadPoolExecutor(1) as threads:
            done = threads.submit(hand_over)
            assert waiter.ask(LOCK, "acquire", timeout=60.0) == (2, False)
            done.result(60)
    finally:
        signal.signal(signal.SIGUSR1, before)

    assert heard == [True]


# Interrupts.


def test_an_interrupt_anywhere_leaves_nothing_to_who_does_not_know_of_it(
    open_host: OpenHost, store: Store
) -> None:
    host, other = open_host(), open_host()
    # Every place in the first requests, and then some: each costs a request or two.
    steps = [*range(1, 40), *range(40, 400, 17)]

    for step in steps:
        answers: list[Plain] = []

        def take(answers: list[Plain] = answers) -> None:
            answers.append(host.ask(LOCK, "acquire", undo=give_back))

        if not interrupted_at(step, take, within=("lightwork/sync/stored/host",)):
            break
        if answers or store.primitives(kind="lock")[:1] == []:
            continue
        # What it has asked is taken back by now, or before it asks anything else.
        host.ask(Place("lock", "another", (False,)), "locked")
        assert other.ask(LOCK, "try") is not None, step
        other.ask(LOCK, "release")
    assert step > 10
