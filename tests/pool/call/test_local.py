"""Local: one value for each thread and child, made at first use, ended at its end."""

import copy
import pickle
import threading
from collections.abc import Callable
from pathlib import Path

import calls
import feature_calls
import local_calls
import pytest

from lightwork.pool.call.local import Local
from lightwork.pool.executor.inline import InlineExecutor
from lightwork.pool.process.executor import ProcessExecutor
from lightwork.pool.thread.executor import ThreadExecutor

pytestmark = pytest.mark.process

WAIT = 30
Pool = type[ProcessExecutor] | type[ThreadExecutor]
BOTH = pytest.mark.parametrize("kind", [ProcessExecutor, ThreadExecutor])


def in_thread(function: Callable[[], object]) -> None:
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


def in_pool_thread(function: Callable[[], object]) -> None:
    with ThreadExecutor(1) as pool:
        pool.submit(function).result(WAIT)


@BOTH
def test_calls_in_one_place_share_the_value(kind: Pool) -> None:
    with kind(1) as pool:
        found = {pool.submit(local_calls.number).result(WAIT) for _ in range(5)}

    assert len(found) == 1


@BOTH
def test_every_place_has_a_value_of_its_own(kind: Pool) -> None:
    with kind(3) as pool:
        waiting = [pool.submit(calls.sleep, 0.02) for _ in range(3)]
        found = [pool.submit(local_calls.place) for _ in range(12)]
        places = [future.result(WAIT) for future in found]

    assert all(future.done() for future in waiting)
    assert all(made == ran for made, ran in places)


@BOTH
def test_the_value_is_finalized_where_it_was_made(kind: Pool, tmp_path: Path) -> None:
    closed = tmp_path / "closed"

    with kind(1) as pool:
        used = pool.submit(local_calls.close_into, str(closed)).result(WAIT)

    assert feature_calls.read(closed) == [used]


@BOTH
def test_a_factory_that_fails_is_tried_again(kind: Pool) -> None:
    with kind(1) as pool:
        errors = [pool.submit(local_calls.use_broken).exception(WAIT) for _ in range(2)]

    assert [type(error) for error in errors] == [ConnectionRefusedError] * 2


def test_inline_calls_share_the_value_of_the_submitting_thread() -> None:
    with InlineExecutor() as pool:
        made, ran = pool.submit(local_calls.place).result(WAIT)

    assert (made, ran) == (local_calls.connection.value.place, feature_calls.here())


def test_the_value_of_a_thread_of_the_program_is_finalized_too() -> None:
    ended: list[int] = []
    local = Local(lambda: 7, ended.append)

    in_thread(local)

    assert ended == [7]


def test_a_local_without_finalize_just_goes() -> None:
    local = Local(lambda: [1])

    in_thread(local)

    assert local.value == [1]


def test_values_are_finalized_last_made_first() -> None:
    ended: list[str] = []
    first, second = Local(lambda: "first", ended.append), Local(lambda: "second", ended.append)

    in_thread(lambda: (first(), second()))

    assert ended == ["second", "first"]


def test_the_finalizer_of_the_pool_may_use_a_local_which_ends_after_it() -> None:
    ended: list[str] = []
    local = Local(lambda: "local", ended.append)

    with ThreadExecutor(1, finalizer=lambda: ended.append(f"finalizer of {local()}")) as pool:
        pool.submit(local).result(WAIT)

    assert ended == ["finalizer of local", "local"]


def test_a_local_that_a_finalizer_makes_anew_is_finalized_as_well() -> None:
    ended: list[str] = []
    early = Local(lambda: "early", ended.append)
    late = Local(lambda: "late", lambda value: ended.append(f"{value} with {early()}"))

    in_pool_thread(lambda: (late(), early()))

    assert ended == ["early", "late with early", "early"]


def test_finalizers_that_make_each_other_anew_come_to_an_end() -> None:
    ended: list[str] = []
    local: Local[str] = Local(lambda: "again", lambda value: ended.extend([value, local()][:1]))

    in_pool_thread(local)

    assert 1 < len(ended) < 10


def test_a_finalize_that_fails_leaves_the_others_to_be_called() -> None:
    ended: list[str] = []
    first = Local(lambda: "first", ended.append)
    second = Local(lambda: "second", lambda _: feature_calls.fail_to_end())

    in_thread(lambda: (first(), second()))

    assert ended == ["first"]


def test_a_global_of_a_module_travels_by_name() -> None:
    with ProcessExecutor(1) as pool:
        is_own = pool.submit(local_calls.is_own, local_calls.connection).result(WAIT)

    assert is_own


def test_a_local_that_is_no_global_is_the_same_in_all_calls_of_a_child(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    local = Local(local_calls.Connection, local_calls.Connection.close)

    with ProcessExecutor(1) as pool:
        numbers = {pool.submit(local_calls.number_of, local).result(WAIT) for _ in range(3)}
        used = pool.submit(local_calls.close_local_into, local, str(closed)).result(WAIT)

    assert numbers == {1}
    assert feature_calls.read(closed) == [used]


def test_two_locals_that_travel_by_value_are_two() -> None:
    one, other = Local(local_calls.Connection), Local(local_calls.Connection)

    with ProcessExecutor(1) as pool:
        found = [pool.submit(local_calls.number_of, local).result(WAIT) for local in (one, other)]

    assert found == [1, 2]


@pytest.mark.parametrize("twin", [copy.copy, lambda local: pickle.loads(pickle.dumps(local))])
def test_a_copy_has_the_same_value(twin: object) -> None:
    local = Local(local_calls.Connection)

    other = twin(local)  # type: ignore[operator]

    assert other.value is local.value


def test_a_local_of_the_main_script_works_in_children() -> None:
    done = feature_calls.run_program("""
        import os
        import lightwork as lw

        made = []
        pids = lw.Local(lambda: made.append(1) or os.getpid(), lambda pid: print("end", pid))

        def use():
            return pids.value

        with lw.ProcessExecutor(1) as pool:
            found = {pool.submit(use).result(30) for _ in range(3)}
            found |= {pool.submit(lambda local: local(), pids).result(30)}
        (pid,) = found
        print(pid == os.getpid(), pid)
    """)

    ended, told = done.stdout.splitlines()
    assert done.stderr == ""
    assert told == f"False {ended.removeprefix('end ')}"


def test_the_value_of_the_main_thread_is_finalized_at_exit() -> None:
    done = feature_calls.run_program("""
        import lightwork as lw
        local = lw.Local(lambda: "value", print)
        local.value
    """)

    assert (done.stdout, done.stderr) == ("value\n", "")


def test_a_forked_process_makes_its_own_and_ends_nothing_of_its_parent() -> None:
    done = feature_calls.run_program("""
        import os, sys
        import lightwork as lw
        local = lw.Local(os.getpid, lambda pid: print(pid == os.getpid(), flush=True))
        local.value
        if os.fork() == 0:
            print(local.value == os.getpid(), flush=True)
            sys.exit()
        os.wait()
    """)

    assert (done.stdout, done.stderr) == ("True\n" * 3, "")
