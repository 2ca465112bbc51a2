"""The broker of a machine: questions of several processes, their answers, and what no process can spoil."""

import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lightwork.errors import LockLost, UsageError
from lightwork.machines.lock import HELD_BY_ANOTHER
from lightwork.sync.broker.protocol import ASK, frame
from lightwork.sync.broker.shortcuts import ArenaBroker
from lightwork.sync.host import Place, Refusal
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

LOCK = Place("lock", "balance", (False,))
RLOCK = Place("lock", "again", (True,))


def test_what_one_process_holds_another_waits_for(host: ArenaBroker, program: Program) -> None:
    assert host.ask(LOCK, "acquire") == (1, False)
    program.begin("host.ask(machine('balance'), 'acquire')")
    wait_until_asleep_in(program, "unix_stream")

    host.ask(LOCK, "release")

    assert program.end() == (2, False)


def test_a_process_that_is_killed_hands_over_at_once_and_the_next_is_told(
    host: ArenaBroker, program: Program
) -> None:
    assert program.do("host.ask(machine('balance'), 'acquire')") == (1, False)

    program.kill()

    assert host.ask(LOCK, "acquire", timeout=30) == (2, True)


def test_a_killed_process_hands_over_though_its_child_has_its_sockets(
    host: ArenaBroker, program: Program
) -> None:
    # Forked by C: nothing of Python's runs, and closes nothing.
    fork = "__import__('ctypes').PyDLL(None).fork() or os.execvp('sleep', ['sleep', '60'])"
    program.do("host.ask(machine('balance'), 'acquire')")
    program.do("[os.set_inheritable(line.socket.fileno(), True) for line in host._session.lines]")
    child = program.do(fork)

    try:
        program.kill()

        assert host.ask(LOCK, "acquire", timeout=30) == (2, True)
    finally:
        kill_and_wait(child)


def test_a_question_is_given_up_when_its_time_is_over_and_never_answered(
    host: ArenaBroker, program: Program
) -> None:
    program.do("host.ask(machine('balance'), 'acquire')")

    began = time.monotonic()
    with pytest.raises(TimeoutError):
        host.ask(LOCK, "acquire", timeout=0.2)

    assert time.monotonic() - began >= 0.2
    program.do("host.ask(machine('balance'), 'release')")
    assert host.ask(LOCK, "locked") is False


def test_no_time_at_all_is_one_look(host: ArenaBroker, program: Program) -> None:
    assert host.ask(LOCK, "acquire", timeout=0.0) == (1, False)

    assert program.do("host.ask(machine('balance'), 'acquire', timeout=0.0)")[0] == "TimeoutError"


def test_ctrl_c_while_waiting_leaves_nobody_with_the_lock(
    host: ArenaBroker, program: Program
) -> None:
    host.ask(LOCK, "acquire")
    program.begin("host.ask(machine('balance'), 'acquire', undo=lambda _: ('release', ()))")
    wait_until_asleep_in(program, "unix_stream")

    program.signal(signal.SIGINT)

    assert program.end()[0] == "KeyboardInterrupt"
    host.ask(LOCK, "release")
    assert host.ask(LOCK, "locked") is False
    assert program.do("host.ask(machine('balance'), 'acquire')") == (2, False)


@pytest.mark.skipif(not CAN_CUT_OFF, reason="this Python tells of no steps")
def test_ctrl_c_as_the_answer_comes_gives_it_back(host: ArenaBroker, program: Program) -> None:
    program.do("from sync.broker.interrupted import acquire_and_be_interrupted_everywhere")

    count = program.do("acquire_and_be_interrupted_everywhere(host, machine('balance'))")

    assert isinstance(count, int), count
    assert count > 10
    assert host.ask(LOCK, "locked") is False


def test_a_stopped_process_holds_up_nobody(host: ArenaBroker, two: list[Program]) -> None:
    stopped, other = two
    stopped.do("host.session")
    stopped.begin("[host.ask(machine('mine'), 'locked') for _ in range(100_000)]")
    stopped.signal(signal.SIGSTOP)

    assert other.do("host.ask(machine('balance'), 'acquire')") == (1, False)
    assert host.ask(LOCK, "locked") is True


def test_who_stops_reading_is_not_read_and_holds_up_nobody(host: ArenaBroker) -> None:
    host.ask(LOCK, "locked")
    line = host._new_line(host._current())
    line.socket.setblocking(False)
    question = frame((ASK, 1, 1, "lock", "x" * 60_000, (False,), "locked", ()))

    with pytest.raises(BlockingIOError):
        _send_without_end(line.socket, question)

    assert host.ask(LOCK, "locked") is False


def _send_without_end(line: socket.socket, question: bytes) -> None:
    while True:
        line.send(question)


def test_another_thread_of_the_process_may_let_go_of_a_lock_and_not_of_an_rlock(
    host: ArenaBroker,
) -> None:
    with ThreadPoolExecutor(1) as other:
        other.submit(host.ask, LOCK, "acquire").result()
        other.submit(host.ask, RLOCK, "acquire").result()

        host.ask(LOCK, "release")
        with pytest.raises(Refusal, match=HELD_BY_ANOTHER):
            host.ask(RLOCK, "release")


def test_threads_wait_side_by_side(host: ArenaBroker, program: Program) -> None:
    program.do("host.ask(machine('balance'), 'acquire')")
    with ThreadPoolExecutor(8) as threads:
        waiting = [threads.submit(_acquire_and_release, host) for _ in range(8)]

        program.do("host.ask(machine('balance'), 'release')")

        assert sorted(one.result() for one in waiting) == [*range(2, 10)]


def _acquire_and_release(host: ArenaBroker) -> int:
    answer = host.ask(LOCK, "acquire")
    host.ask(LOCK, "release")
    assert isinstance(answer, tuple)
    return int(str(answer[0]))


def test_another_spec_is_refused(host: ArenaBroker) -> None:
    host.ask(LOCK, "locked")

    with pytest.raises(UsageError, match="another way"):
        host.ask(Place("lock", "balance", (True,)), "locked")


def test_a_question_that_the_machine_does_not_know_harms_nothing(host: ArenaBroker) -> None:
    host.ask(LOCK, "acquire")

    with pytest.raises(UsageError, match="conquer"):
        host.ask(LOCK, "conquer")

    assert host.ask(LOCK, "locked") is True


def test_many_starters_have_one_broker(folder: Path) -> None:
    with programs(8) as started:
        for one in started:
            one.begin("host.ask(machine('balance'), 'acquire', timeout=0.0)")
        answers = [one.end() for one in started]
        pid = broker_pid(folder)

        assert answers.count((1, False)) == 1
        assert [answer[0] for answer in answers].count("TimeoutError") == 7
    kill_and_wait(pid)


def test_a_killed_broker_is_the_loss_of_what_was_held_and_the_next_use_starts_another(
    host: ArenaBroker, folder: Path, program: Program
) -> None:
    before = host.session
    host.ask(LOCK, "acquire")
    program.begin("host.ask(machine('balance'), 'acquire')")
    wait_until_asleep_in(program, "unix_stream")

    kill_and_wait(broker_pid(folder))

    assert program.end()[0] == "LockLost"
    with pytest.raises(LockLost):
        host.ask(LOCK, "locked")
    assert host.ask(LOCK, "locked") is False
    assert host.session != before


def test_a_child_that_was_forked_has_a_session_of_its_own(host: ArenaBroker) -> None:
    host.ask(LOCK, "acquire")
    seen = in_fork(lambda: (host.session, _try(host)))

    assert seen != repr((host.session, False))
    assert "Timeout" in seen
    assert host.ask(LOCK, "release") is None


def test_a_fork_while_threads_ask_spoils_no_answer(host: ArenaBroker) -> None:
    is_over = threading.Event()

    def ask_on() -> int:
        count = 0
        while not is_over.is_set():
            assert host.ask(RLOCK, "acquire")
            host.ask(RLOCK, "release")
            count += 1
        return count

    with ThreadPoolExecutor(2) as threads:
        asking = [threads.submit(ask_on) for _ in range(2)]
        answers = [
            in_fork(lambda: host.ask(RLOCK, "acquire", timeout=30) is not None) for _ in range(5)
        ]
        is_over.set()

        assert all(one.result() > 0 for one in asking)
    assert answers == ["True"] * 5


def _try(host: ArenaBroker) -> object:
    try:
        return host.ask(LOCK, "acquire", timeout=0.0)
    except TimeoutError:
        return "Timeout"


def test_the_broker_ends_by_itself_when_nobody_is_left(host: ArenaBroker, folder: Path) -> None:
    host.ask(LOCK, "acquire")
    pid = broker_pid(folder)

    host.close()

    wait_until(lambda: not Path(f"/proc/{pid}").exists(), "the broker has ended")
    assert not (folder / "broker-1.socket").exists()
    assert host.ask(LOCK, "acquire") == (1, False)


def test_what_a_process_holds_is_let_go_when_it_says_so(
    host: ArenaBroker, program: Program
) -> None:
    program.do("host.ask(machine('balance'), 'acquire')")
    program.do("host.close()")

    assert host.ask(LOCK, "acquire", timeout=30) == (2, True)


def test_the_broker_imports_little_so_that_it_starts_at_once() -> None:
    heavy = (
        "sqlalchemy",
        "asyncio",
        "concurrent",
        "logging",
        "multiprocessing",
        "pathlib",
        "pickle",
    )
    code = (
        f"import sys, lightwork.sync.broker.main; print([n for n in {heavy} if n in sys.modules])"
    )
    # Without `site`, as it is started: what that imports is not the broker's.
    program = f"import sys; sys.path[:] = {sys.path!r}; {code}"

    done = subprocess.run([sys.executable, "-S", "-c", program], capture_output=True, check=True)

    assert done.stdout == b"[]\n"
