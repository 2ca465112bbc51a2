"""Locks of the arena: between processes and threads, kills, forks and Ctrl-C."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lightwork.errors import UsageError
from lightwork.machines.lock import HELD_BY_ANOTHER, NOT_HELD
from lightwork.sync.arena.lock import ArenaLock
from lightwork.sync.broker import client
from lightwork.sync.broker.client import open_broker
from lightwork.sync.broker.shortcuts import ArenaBroker
from lightwork.sync.host import HasShortcuts, Place, Refusal
from sync.cut_off import CAN_CUT_OFF
from sync.programs import (
    Program,
    broker_pid,
    in_fork,
    kill_and_wait,
    programs,
    wait_until_asleep_in,
)
from waiting import wait_until

pytestmark = pytest.mark.process


def lock_of(host: ArenaBroker, name: str = "balance", *, is_reentrant: bool = False) -> ArenaLock:
    lock = host.open_lock(Place("lock", name, (is_reentrant,)))
    assert isinstance(lock, ArenaLock)
    return lock


def test_what_one_process_holds_another_waits_for(host: ArenaBroker, program: Program) -> None:
    lock = lock_of(host)
    token, is_inherited = lock.acquire(None)
    program.begin("lock('balance').acquire(None)")
    wait_until_asleep_in(program, "setlk")

    lock.release()

    assert not is_inherited
    assert program.end() == (token + 1, False)


def test_a_killed_holder_hands_over_at_once_and_the_next_is_told(
    host: ArenaBroker, program: Program
) -> None:
    lock = lock_of(host)
    token, _ = program.do("lock('balance').acquire(None)")

    program.kill()

    assert lock.acquire(30.0) == (token + 1, True)
    lock.release()
    assert lock.acquire(None) == (token + 2, False)


def test_a_forked_child_does_not_keep_a_dead_holders_lock(
    host: ArenaBroker, program: Program
) -> None:
    lock = lock_of(host)
    program.do("lock('balance').acquire(None)")
    child = program.do("os.fork() or time.sleep(60)")

    try:
        program.kill()

        assert lock.acquire(30.0)[1] is True
    finally:
        kill_and_wait(child)


def test_a_forked_child_holds_nothing_and_can_wait(host: ArenaBroker, program: Program) -> None:
    program.do("held = lock('balance'); held.acquire(None)")

    seen = program.do("in_fork(lambda: (held.count(), held.is_locked(), held.acquire(0.01)))")

    assert seen == ""
    assert program.do("in_fork(lambda: (held.count(), held.is_locked()))") == "(0, True)"
    program.do("held.release()")
    assert program.do("in_fork(lambda: held.acquire(0.0)[1])") == "False"


def test_a_lock_that_was_let_go_is_nobodys(host: ArenaBroker) -> None:
    lock = lock_of(host)

    with pytest.raises(Refusal, match=NOT_HELD):
        lock.release()


def test_what_another_process_holds_cannot_be_let_go(host: ArenaBroker, program: Program) -> None:
    lock = lock_of(host)
    program.do("lock('balance').acquire(None)")

    with pytest.raises(Refusal, match=HELD_BY_ANOTHER):
        lock.release()
    with pytest.raises(UsageError, match=str(program.pid)):
        lock.force_release()
    assert lock.is_locked()
    assert lock.count() == 0


def test_an_rlock_is_taken_again_by_its_thread_alone(host: ArenaBroker, program: Program) -> None:
    lock = lock_of(host, is_reentrant=True)
    first, _ = lock.acquire(None)
    again, _ = lock.acquire(None)

    with ThreadPoolExecutor(1) as other:
        assert other.submit(lock.count).result() == 0
        with pytest.raises(Refusal, match=HELD_BY_ANOTHER):
            other.submit(lock.release).result()
        with pytest.raises(TimeoutError):
            other.submit(lock.acquire, 0.01).result()
    assert (first, lock.count()) == (again, 2)
    lock.release()
    assert program.do("lock('balance', True).acquire(0.0)")[0] == "TimeoutError"
    lock.release()
    assert program.do("lock('balance', True).acquire(0.0)") == (first + 1, False)


def test_a_lock_is_let_go_by_any_thread_of_its_process(host: ArenaBroker) -> None:
    lock = lock_of(host)
    with ThreadPoolExecutor(1) as other:
        other.submit(lock.acquire, None).result()

        lock.release()

    assert not lock.is_locked()


def test_threads_of_a_process_exclude_each_other(host: ArenaBroker) -> None:
    lock = lock_of(host)
    balance = 0

    def work() -> None:
        nonlocal balance
        for number in range(500):
            lock.acquire(None)
            balance += number
            balance -= number
            lock.release()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert balance == 0
    assert not lock.is_locked()


def test_time_is_up_when_it_is_and_nothing_is_granted_later(
    host: ArenaBroker, program: Program
) -> None:
    lock = lock_of(host)
    program.do("held = lock('balance'); held.acquire(None)")

    began = time.monotonic()
    with pytest.raises(TimeoutError):
        lock.acquire(0.2)

    assert time.monotonic() - began >= 0.2
    program.do("held.release()")
    assert not lock.is_locked()


def test_time_is_up_for_threads_of_the_holders_process(host: ArenaBroker) -> None:
    lock = lock_of(host)
    lock.acquire(None)

    with ThreadPoolExecutor(1) as other, pytest.raises(TimeoutError):
        other.submit(lock.acquire, 0.05).result()

    assert lock.count() == 1


def test_ctrl_c_while_waiting_leaves_it_to_its_holder(host: ArenaBroker, program: Program) -> None:
    lock = lock_of(host)
    token, _ = lock.acquire(None)
    program.begin("lock('balance').acquire(None)")
    wait_until_asleep_in(program, "setlk")

    program.signal(signal.SIGINT)

    assert program.end()[0] == "KeyboardInterrupt"
    lock.release()
    assert program.do("lock('balance').acquire(0.0)") == (token + 1, False)


@pytest.mark.skipif(not CAN_CUT_OFF, reason="this Python tells of no steps")
def test_ctrl_c_between_any_two_steps_leaves_it_free(host: ArenaBroker, program: Program) -> None:
    program.do("from sync.arena.interrupted_lock import acquire_and_be_interrupted_everywhere")

    for lock in ("lock('balance')", "lock('again', True)"):
        count = program.do(f"acquire_and_be_interrupted_everywhere({lock})")
        assert isinstance(count, int), count
        assert count > 10


@pytest.mark.skipif(not CAN_CUT_OFF, reason="this Python tells of no steps")
@pytest.mark.parametrize(
    "act",
    [
        "release_and_be_interrupted_everywhere(lock('balance'))",
        "release_and_be_interrupted_everywhere(lock('again', True))",
        "leave_a_block_and_be_interrupted_everywhere(lw.Lock('balance'))",
        "leave_a_block_and_be_interrupted_everywhere(lw.RLock('again'))",
        "write_and_be_interrupted_everywhere(value('number', bytes(8)))",
    ],
)
def test_ctrl_c_leaves_nothing_locked_that_was_to_be_let_go(
    host: ArenaBroker, program: Program, act: str
) -> None:
    program.do("import lightwork as lw")
    program.do("from sync.arena.interrupted_lock import *")

    count = program.do(act)

    assert isinstance(count, int), count
    assert count > 5


def test_two_hundred_and_fifty_six_locks_do_not_know_each_other(
    host: ArenaBroker, program: Program
) -> None:
    locks = [lock_of(host, f"lock {number}") for number in range(256)]
    for lock in locks:
        lock.acquire(None)

    for lock in locks[::2]:
        lock.release()

    seen = program.do("[lock(f'lock {number}').is_locked() for number in range(256)]")
    assert seen == [False, True] * 128


def test_a_killed_broker_is_not_noticed(host: ArenaBroker, folder: Path, program: Program) -> None:
    lock = lock_of(host)
    token, _ = lock.acquire(None)

    kill_and_wait(broker_pid(folder))

    # A new broker finds out which bytes were whose.
    assert program.do("lock('balance').acquire(0.0)")[0] == "TimeoutError"
    lock.release()
    assert program.do("lock('balance').acquire(None)") == (token + 1, False)
    assert program.do("lock('other').acquire(None)")[1] is False


def test_a_token_grows_also_when_the_lock_was_forgotten(
    host: ArenaBroker, program: Program
) -> None:
    token, _ = program.do("lock('balance').acquire(None)")
    program.kill()
    lock = lock_of(host)

    after, _ = lock.acquire(None)

    assert after > token


def test_another_spec_is_refused(host: ArenaBroker) -> None:
    lock = lock_of(host)

    with pytest.raises(UsageError, match="another way"):
        lock_of(host, is_reentrant=True)
    assert not lock.is_locked()


def test_where_the_kernel_has_no_such_locks_there_is_no_shortcut(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightwork.sync.arena.ofd.is_available", lambda: False)

    host = open_broker()

    assert not isinstance(host, HasShortcuts)
    client._brokers.pop(str(folder))
    os.close(host._folder)


def test_the_balance_is_zero_after_kills(host: ArenaBroker) -> None:
    memory = host.open_memory(Place("value", "balance", (bytes(8),)))
    lock = lock_of(host)
    work = "[change(lock('balance'), value('balance', bytes(8))) for _ in range({})]"
    with programs(4) as started:
        for one in started:
            one.do("from sync.arena.balance import change")
        for one in started[:2]:
            one.begin(work.format(1_000_000))
        for one in started[2:]:
            one.begin(work.format(1000))
        for one in started[:2]:
            token = lock.acquire(None)[0]
            lock.release()
            wait_until(lambda start=token: _token(lock) > start + 50, "the killed have begun")  # type: ignore[misc]
            one.kill()
        for one in started[2:]:
            assert len(one.end()) == 1000

        lock.acquire(None)

    # Who was killed in the middle of a change has left it half done, and the next has put it right.
    assert memory.read(0, 8) == bytes(8)


def _token(lock: ArenaLock) -> int:
    token, _ = lock.acquire(None)
    lock.release()
    return token


def test_a_lock_is_held_though_nobody_has_a_name_for_it(
    host: ArenaBroker, program: Program
) -> None:
    lock_of(host, "x").acquire(None)

    assert program.do("lock('x').acquire(0.0)")[0] == "TimeoutError"


def test_a_lock_that_nobody_has_is_forgotten_and_its_place_given_out_again(
    host: ArenaBroker,
) -> None:
    offsets = set()
    for number in range(100):
        lock = lock_of(host, f"lock {number}")
        offsets.add(lock.region()[1])
        del lock

    assert len(offsets) < 5


def test_a_fork_in_the_middle_of_waiting_threads(host: ArenaBroker, program: Program) -> None:
    lock = lock_of(host)
    program.do("held = lock('balance'); held.acquire(None)")
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(_token, lock)

        seen = in_fork(lambda: (program.do("held.release()"), _token(lock)))

        assert seen.startswith("(None, ")
        waiting.result()
