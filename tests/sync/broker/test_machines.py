"""Every machine at the broker: what a killed process held, waited for or had been given."""

import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from lightwork.sync.broker.protocol import LARGE
from lightwork.sync.broker.shortcuts import ArenaBroker
from lightwork.sync.host import Place, Refusal
from sync.cut_off import CAN_CUT_OFF
from sync.programs import Program, wait_until_asleep_in
from waiting import wait_until

pytestmark = pytest.mark.process

QUEUE = Place("queue", "items", (0,))
SMALL = Place("queue", "small", (1,))
SEMAPHORE = Place("semaphore", "slots", (1, True))
BARRIER = Place("barrier", "meeting", (2,))


def test_what_a_killed_process_had_not_acked_comes_back(
    host: ArenaBroker, program: Program
) -> None:
    host.ask(QUEUE, "put", ((b"a", b"b"),))
    given = program.do("host.ask(Place('queue', 'items', (0,)), 'get', (1, False))")

    program.kill()

    assert given == ((0, b"a"),)
    wait_until(lambda: host.ask(QUEUE, "size") == 2, "it came back")
    assert host.ask(QUEUE, "get", (2, True)) == ((0, b"a"), (1, b"b"))


def test_what_was_put_by_a_process_that_is_killed_is_not_lost(
    host: ArenaBroker, program: Program
) -> None:
    program.do("host.ask(Place('queue', 'items', (0,)), 'put', ((b'a',),))")

    program.kill()

    assert host.ask(QUEUE, "get", (9, True)) == ((0, b"a"),)


def test_large_items_pass_and_hold_up_nobody(host: ArenaBroker, program: Program) -> None:
    large = bytes(range(256)) * (LARGE // 64)
    lock = Place("lock", "other", (False,))
    with ThreadPoolExecutor(2) as threads:
        put = threads.submit(host.ask, QUEUE, "put", ((large,) * 64,))
        while not put.done():
            host.ask(lock, "locked", timeout=30)
        assert put.result() == 64
        for number in range(64):
            assert host.ask(QUEUE, "get", (1, True)) == ((number, large),)


def test_a_large_item_reaches_whoever_waits_in_another_process(
    host: ArenaBroker, program: Program
) -> None:
    program.begin("len(host.ask(Place('queue', 'items', (0,)), 'get', (1, True))[0][1])")
    wait_until_asleep_in(program, "unix_stream")

    host.ask(QUEUE, "put", ((bytes(20_000_000),),))

    assert program.end() == 20_000_000


def test_a_stopped_process_with_a_large_answer_holds_up_nobody(
    host: ArenaBroker, program: Program
) -> None:
    program.begin("len(host.ask(Place('queue', 'items', (0,)), 'get', (1, True))[0][1])")
    wait_until_asleep_in(program, "unix_stream")
    program.signal(signal.SIGSTOP)

    host.ask(QUEUE, "put", ((bytes(20_000_000),),))
    assert host.ask(QUEUE, "size") == 0

    program.signal(signal.SIGCONT)
    assert program.end() == 20_000_000


@pytest.mark.skipif(not CAN_CUT_OFF, reason="this Python tells of no steps")
def test_ctrl_c_as_an_item_comes_puts_it_back(host: ArenaBroker, program: Program) -> None:
    program.do("from sync.broker.interrupted import get_and_be_interrupted_everywhere")

    count = program.do("get_and_be_interrupted_everywhere(host, Place('queue', 'items', (0,)))")

    assert isinstance(count, int), count
    assert count > 10


def test_a_killed_process_gives_back_its_slot(host: ArenaBroker, program: Program) -> None:
    program.do("host.ask(Place('semaphore', 'slots', (1, True)), 'acquire')")

    program.kill()

    assert host.ask(SEMAPHORE, "acquire", timeout=30) is not None


def test_a_killed_process_breaks_the_barrier_at_which_it_waits(
    host: ArenaBroker, program: Program
) -> None:
    program.begin("host.ask(Place('barrier', 'meeting', (2,)), 'wait')")
    wait_until_asleep_in(program, "unix_stream")

    program.kill()

    with pytest.raises(Refusal):
        _wait_until_broken(host)


def _wait_until_broken(host: ArenaBroker) -> None:
    for _ in range(10_000):
        try:
            host.ask(BARRIER, "wait", timeout=0.0)
        except TimeoutError:
            continue


def test_an_event_wakes_every_process(host: ArenaBroker, two: list[Program]) -> None:
    for one in two:
        one.begin("host.ask(Place('event', 'start', ()), 'wait')")
    for one in two:
        wait_until_asleep_in(one, "unix_stream")

    host.ask(Place("event", "start", ()), "set")

    assert [one.end() for one in two] == [None, None]


def test_a_put_waits_for_room(host: ArenaBroker, program: Program) -> None:
    host.ask(SMALL, "put", ((b"first",),))
    program.begin("host.ask(Place('queue', 'small', (1,)), 'put', ((b'second',),))")
    wait_until_asleep_in(program, "unix_stream")

    assert host.ask(SMALL, "get", (1, True)) == ((0, b"first"),)

    assert program.end() == 1
    assert host.ask(SMALL, "get", (1, True)) == ((1, b"second"),)


def test_a_signal_function_asks_what_its_own_thread_waits_for(
    host: ArenaBroker, program: Program
) -> None:
    queue = "Place('queue', 'items', (0,))"
    program.do(
        "before = signal.signal(signal.SIGUSR1, lambda *_: "
        f"host.ask({queue}, 'put', ((b'from a signal',),)))"
    )
    program.begin(f"host.ask({queue}, 'get', (1, True))")
    wait_until_asleep_in(program, "unix_stream")

    program.signal(signal.SIGUSR1)

    assert program.end() == ((0, b"from a signal"),)


def test_many_threads_of_one_process_wait_each_for_its_own(host: ArenaBroker) -> None:
    count, before = 200, set(threading.enumerate())
    with ThreadPoolExecutor(count) as threads:
        getting = [threads.submit(host.ask, QUEUE, "get", (1, True)) for _ in range(count)]

        host.ask(QUEUE, "put", (tuple(str(number).encode() for number in range(count)),))

        got = {repr(one.result()) for one in getting}
    assert got == {repr(((number, str(number).encode()),)) for number in range(count)}
    assert set(threading.enumerate()) <= before
