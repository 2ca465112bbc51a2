"""Processes that share a lock in a store: they are killed, stopped, interrupted, and end."""

import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from lightwork.net.opening import open_store
from lightwork.store.contract import Store
from net.processes.serving import port_of, serving
from sync.stored.conftest import OpenHost, StartProgram
from sync.stored.programs import LOCK, Program
from waiting import wait_until

ACQUIRE = "host.ask(LOCK, 'acquire', undo=lambda _: ('release', ()))"
RELEASE = "host.ask(LOCK, 'release')"


def test_what_a_killed_process_held_goes_to_the_next_when_its_lease_is_over(
    start: StartProgram, open_host: OpenHost
) -> None:
    program, other = start(lease=2.0), open_host()
    assert program.do(ACQUIRE) == (1, False)

    program.close()

    assert other.ask(LOCK, "acquire", timeout=30.0) == (2, True)


def test_what_a_process_held_that_ends_goes_to_the_next_at_once(
    start: StartProgram, open_host: OpenHost
) -> None:
    program, other = start(lease=3600.0), open_host()
    assert program.do(ACQUIRE) == (1, False)

    program.leave()

    assert other.ask(LOCK, "acquire", timeout=30.0) == (2, True)


def test_a_process_that_was_stopped_for_too_long_learns_that_it_has_lost(
    start: StartProgram, open_host: OpenHost, path: Path
) -> None:
    program, other = start(lease=2.0), open_host()
    assert program.do(ACQUIRE) == (1, False)

    program.stop(path.with_name("work.db-lock"))
    found = other.ask(LOCK, "acquire", timeout=30.0)
    program.send(signal.SIGCONT)

    assert found == (2, True)
    assert program.do(RELEASE)[0] == "LockLost"
    other.ask(LOCK, "release")
    assert program.do(ACQUIRE) == (3, False)


def test_a_ctrl_c_ends_the_wait(start: StartProgram, open_host: OpenHost, store: Store) -> None:
    holder, program = open_host(), start()
    holder.ask(LOCK, "acquire")
    program.begin(ACQUIRE)
    wait_until(lambda: store.primitives()[0].waiting == 1, "it waits")

    program.send(signal.SIGINT)

    assert program.end()[0] == "KeyboardInterrupt"
    assert store.primitives()[0].waiting == 0


def test_who_holds_a_lock_of_a_server_that_stays_away_learns_that_it_has_lost(
    tmp_path: Path,
) -> None:
    with serving(tmp_path) as (url, server), closing(Program(url, 2.0)) as holder:
        assert holder.do(ACQUIRE) == (1, False)
        server.kill()
        server.wait(30)

        assert holder.do(RELEASE)[0] == "LockLost"
        # Nothing can be had where nobody answers.
        assert holder.do(ACQUIRE)[0] == "StoreUnavailable"


def test_a_server_that_is_killed_and_started_again_costs_nobody_a_lock(tmp_path: Path) -> None:
    with serving(tmp_path) as (url, server), closing(open_store(url)) as store:
        port = port_of(url)
        with closing(Program(url, 30.0)) as holder, closing(Program(url, 30.0)) as waiter:
            assert holder.do(ACQUIRE) == (1, False)
            waiter.begin(ACQUIRE)
            wait_until(lambda: store.primitives()[0].waiting == 1, "it waits")
            server.kill()
            server.wait(30)
            holder.begin(RELEASE)

            with serving(tmp_path, port=port):
                assert holder.end() is None
                assert waiter.end() == (2, False)


_ENDS = """
import sys, threading
import lightwork as lw
lock = lw.Lock("it", where=sys.argv[1])
event = lw.Event(where=sys.argv[1])
lock.acquire()
def wait():
    with lw.Semaphore(where=sys.argv[1]):
        lock.acquire()
for act in (wait, event.wait):
    threading.Thread(target=act, daemon=True).start()
from lightwork.net.opening import open_store
from waiting import wait_until
store = open_store(sys.argv[1])
wait_until(lambda: sum(one.waiting for one in store.primitives()) == 2, "they wait")
store.close()
"""


def test_daemon_threads_that_wait_say_nothing_when_the_interpreter_ends(url: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _ENDS, url],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (ended.returncode, ended.stderr) == (0, "")
