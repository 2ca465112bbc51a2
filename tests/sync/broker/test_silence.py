"""A broker that is stopped holds up nobody longer than was asked, and goes on with what was left."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import lightwork as lw
from lightwork.sync.broker import line
from lightwork.sync.broker.shortcuts import ArenaBroker
from lightwork.sync.host import Place
from sync.programs import Program, broker_pid, wait_until_asleep_in
from waiting import wait_until

GRACE = 0.3
SEMAPHORE = Place("semaphore", "permits", (1, False))
QUEUE = Place("queue", "letters", (0,))


@pytest.fixture(autouse=True)
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "GRACE", GRACE)
    monkeypatch.setattr("lightwork.sync.broker.host.GRACE", GRACE)


@contextmanager
def stopped(folder: Path) -> Iterator[None]:
    """Let the broker do nothing in the block."""
    pid = broker_pid(folder)
    # 0 would be every process of the test run.
    assert pid > 0, "no broker has been started there"
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: " T " in Path(f"/proc/{pid}/stat").read_text(), "the broker is stopped")
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def take(host: ArenaBroker, timeout: float) -> object:
    return host.ask(SEMAPHORE, "acquire", timeout=timeout, undo=lambda _token: ("release", (1,)))


def is_free(host: ArenaBroker) -> bool:
    return host.ask(SEMAPHORE, "value") == 1


@pytest.mark.parametrize("timeout", [0.0, 0.1])
def test_who_has_set_a_time_is_told_that_the_broker_is_stopped(
    host: ArenaBroker, folder: Path, timeout: float
) -> None:
    assert is_free(host)

    with stopped(folder), pytest.raises(lw.StoreUnavailable, match=r"process \d+.*SIGCONT"):
        take(host, timeout)


def test_who_does_not_wait_is_told_too(host: ArenaBroker, folder: Path) -> None:
    semaphore = lw.Semaphore(where=host)
    assert semaphore.get_value() == 1

    with stopped(folder), pytest.raises(lw.StoreUnavailable):
        semaphore.acquire(blocking=False)

    assert semaphore.get_value() == 1


def test_what_was_granted_to_nobody_is_given_back_when_the_broker_goes_on(
    host: ArenaBroker, folder: Path
) -> None:
    assert is_free(host)

    with stopped(folder), pytest.raises(lw.StoreUnavailable):
        take(host, 0.1)

    assert is_free(host)


def test_no_other_question_is_needed_for_that(
    host: ArenaBroker, folder: Path, program: Program
) -> None:
    assert is_free(host)
    with stopped(folder), pytest.raises(lw.StoreUnavailable):
        take(host, 0.1)

    token = program.do(f"host.ask({SEMAPHORE!r}, 'acquire', timeout=20)")

    assert token is not None


def test_the_second_to_ask_is_told_in_its_own_time_and_asks_nothing(
    host: ArenaBroker, folder: Path
) -> None:
    host.ask(QUEUE, "put", ((b"1",),))

    with stopped(folder):
        for item in (b"2", b"3"):
            with pytest.raises(lw.StoreUnavailable):
                host.ask(QUEUE, "put", ((item,),), timeout=0.05)

    # The first had been sent, and was answered as soon as it could be.
    assert host.ask(QUEUE, "size") == 2


def test_what_was_sent_by_half_is_not_done(host: ArenaBroker, folder: Path) -> None:
    host.ask(QUEUE, "put", ((b"1",),))

    with stopped(folder), pytest.raises(lw.StoreUnavailable):
        host.ask(QUEUE, "put", ((bytes(8 << 20),),), timeout=0.05)

    assert host.ask(QUEUE, "size") == 1


def test_who_comes_anew_is_told(host: ArenaBroker, folder: Path, program: Program) -> None:
    program.do("from lightwork.sync.broker import line as of_line, host as of_host")
    program.do(f"of_line.GRACE = of_host.GRACE = {GRACE}")
    host.close()

    with stopped(folder):
        assert program.do("lock('new')")[0] == "StoreUnavailable"
        with pytest.raises(lw.StoreUnavailable):
            host.ask(QUEUE, "size")

    assert host.ask(QUEUE, "size") == 0


def test_the_list_of_locks_says_it_too(host: ArenaBroker, folder: Path) -> None:
    host.ask(QUEUE, "size")

    with stopped(folder), pytest.raises(lw.StoreUnavailable, match="stopped"):
        host.primitives()


def test_who_waits_without_a_time_goes_on_with_the_broker(
    host: ArenaBroker, folder: Path, program: Program
) -> None:
    host.ask(QUEUE, "size")
    with stopped(folder):
        program.begin(f"host.ask({QUEUE!r}, 'size')")
        wait_until_asleep_in(program, "unix_stream")
        assert not program.has_answered()

    assert program.end() == 0


def test_ctrl_c_ends_a_wait_for_a_broker_that_is_stopped(
    host: ArenaBroker, folder: Path, program: Program
) -> None:
    assert is_free(host)
    with stopped(folder):
        program.begin(f"host.ask({SEMAPHORE!r}, 'acquire', undo=lambda _: ('release', (1,)))")
        wait_until_asleep_in(program, "unix_stream")
        program.signal(signal.SIGINT)
        assert program.end()[0] == "KeyboardInterrupt"

    wait_until(lambda: is_free(host), "it is free again")
