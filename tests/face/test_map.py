"""DurableExecutor.map: lazy, bounded, and idempotent with a key."""

import gc
import itertools
import os
import signal
import subprocess
import sys
import textwrap
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from face.jobs import add, invert, note, one_of, sleep, square, wait_for
from lightwork.durable.executor import DurableExecutor
from lightwork.errors import JobCancelled, JobFailed, PayloadError, UsageError
from lightwork.model import State
from lightwork.pool.thread.executor import ThreadExecutor
from lightwork.store.sqlstore import SqlStore, open_store
from waiting import wait_until

pytestmark = pytest.mark.process


def test_results_come_in_order(shared: DurableExecutor) -> None:
    assert list(shared.map(square, range(200))) == [number**2 for number in range(200)]


def test_a_result_that_was_used_is_kept_by_nobody(shared: DurableExecutor) -> None:
    for found in shared.map(one_of, range(5)):
        reference = weakref.ref(found)
        del found

        # Who has brought it may have it in its hands for a moment.
        wait_until(lambda: gc.collect() >= 0 and reference() is None, "nobody to keep it")  # noqa: B023 - called here


def test_several_iterables_are_zipped(shared: DurableExecutor) -> None:
    assert list(shared.map(add, [1, 2, 3], [10, 20])) == [11, 22]


def test_results_come_as_they_are_ready_where_order_does_not_matter(
    shared: DurableExecutor, tmp_path: Path
) -> None:
    gates = [str(tmp_path / "first"), str(tmp_path / "second")]
    (tmp_path / "second").touch()

    results = shared.map(wait_for, gates, ordered=False)

    assert next(results) == "let go"
    (tmp_path / "first").touch()
    assert next(results) == "let go"


def test_an_error_is_raised_in_its_place(shared: DurableExecutor) -> None:
    results = shared.map(invert, [1, 0])

    assert next(results) == 1.0
    with pytest.raises(JobFailed):
        next(results)


def test_errors_are_yielded_on_request(shared: DurableExecutor) -> None:
    first, second, third = shared.map(invert, [1, 0, 2], errors="return")

    assert (first, third) == (1.0, 0.5)
    assert isinstance(second, JobFailed)


def test_a_timeout_ends_the_waiting(kept: DurableExecutor) -> None:
    results = kept.map(sleep, [60], timeout=0.05)

    with pytest.raises(TimeoutError):
        next(results)


def test_an_infinite_input_can_be_left_with_break(shared: DurableExecutor) -> None:
    found = []
    for result in shared.map(square, itertools.count(), buffersize=50):
        found.append(result)
        if len(found) == 120:
            break

    assert found == [number**2 for number in range(120)]


def test_the_input_is_never_taken_further_than_the_buffer(shared: DurableExecutor) -> None:
    taken = itertools.count()
    last = 0

    def numbers() -> Iterator[int]:
        nonlocal last
        for number in taken:
            last = number
            yield number

    ahead = [
        last - used
        for used, _ in enumerate(_first(shared.map(square, numbers(), buffersize=7), 30))
    ]

    assert max(ahead) <= 7


def cancelled(executor: DurableExecutor) -> int:
    return executor.store.summary().states[State.CANCELLED]


def _first(results: Iterator[int], count: int) -> Iterator[int]:
    return itertools.islice(results, count)


def test_leaving_a_map_cancels_what_has_not_begun(url: str, tmp_path: Path) -> None:
    gates = [str(tmp_path / "gate")] * 20
    with DurableExecutor(url, workers=1) as executor:
        results = executor.map(wait_for, gates, timeout=0.2)
        with pytest.raises(TimeoutError):
            next(results)
        wait_until(lambda: cancelled(executor) >= 18, "jobs that wait are cancelled")
        (tmp_path / "gate").touch()


def test_leaving_a_map_in_a_thread_of_a_pool_cancels_what_has_not_begun(
    kept: DurableExecutor,
) -> None:
    def leave() -> None:
        with pytest.raises(TimeoutError):
            next(kept.map(square, range(5), timeout=0.01))

    with ThreadExecutor(1) as threads:
        threads.submit(leave).result()

    wait_until(lambda: cancelled(kept) == 5, "all jobs are cancelled")


def test_dropping_a_map_in_the_thread_that_writes_holds_up_nobody(kept: DurableExecutor) -> None:
    results = [kept.map(square, range(5), errors="return")]
    kept.store.cancel([kept.store.jobs()[-1].id])
    assert isinstance(next(results[0]), JobCancelled)

    # As the collector may do it.
    assert isinstance(kept.store, SqlStore)
    kept.store.database.write(lambda _: results.clear())

    wait_until(lambda: cancelled(kept) == 5, "all jobs are cancelled")


def test_leaving_a_map_with_a_key_cancels_nothing(kept: DurableExecutor) -> None:
    results = kept.map(square, range(5), key="mine", timeout=0.01)

    with pytest.raises(TimeoutError):
        next(results)

    assert kept.store.summary().states[State.READY] == 5


# With a key


def test_the_second_run_of_a_keyed_map_runs_nothing(url: str, tmp_path: Path) -> None:
    lines = tmp_path / "lines"
    calls = ([str(lines)] * 3, ["a", "b", "c"])
    with DurableExecutor(url, workers=1) as executor:
        list(executor.map(note, *calls, key="import"))

    with DurableExecutor(url, workers=1) as executor:
        assert list(executor.map(note, *calls, key="import")) == [None] * 3

    assert sorted(lines.read_text().split()) == ["a", "b", "c"]


def test_results_of_the_first_run_come_without_any_worker(url: str) -> None:
    with DurableExecutor(url, workers=1) as executor:
        list(executor.map(square, range(5), key="once"))

    with DurableExecutor(url) as executor:
        assert list(executor.map(square, range(5), key="once", timeout=20)) == [0, 1, 4, 9, 16]


def test_what_failed_runs_again_only_when_that_is_asked(url: str, tmp_path: Path) -> None:
    lines = tmp_path / "lines"
    calls = ([str(lines)] * 2, ["a", "b"])
    lines.mkdir()

    with DurableExecutor(url, workers="threads:1") as executor:
        first = list(executor.map(note, *calls, key="import", errors="return"))
        lines.rmdir()
        kept = list(executor.map(note, *calls, key="import", errors="return"))
        again = list(executor.map(note, *calls, key="import", failed="retry"))

    assert all(isinstance(result, JobFailed) for result in first + kept)
    assert again == [None] * 2
    assert sorted(lines.read_text().split()) == ["a", "b"]


def test_what_succeeded_does_not_run_again_beside_what_failed(url: str, tmp_path: Path) -> None:
    lines = tmp_path / "lines"
    with DurableExecutor(url, workers="threads:1") as executor:
        for _ in range(2):
            list(executor.starmap(note, [(str(lines), "a")], key="import", failed="retry"))
        (future,) = executor.submit_many(note, [(str(lines), "a")], key="import", failed="retry")
        future.result(60)

    assert lines.read_text().split() == ["a"]


@pytest.mark.parametrize("options", [{"failed": "retry"}, {"failed": "again", "key": "k"}])
def test_failed_without_a_meaning_is_refused(
    kept: DurableExecutor, options: dict[str, Any]
) -> None:
    with pytest.raises(UsageError, match="failed"):
        kept.map(square, [1], **options)

    assert kept.store.jobs() == []


def test_equal_calls_of_one_map_are_jobs_of_their_own(shared: DurableExecutor) -> None:
    before = shared.store.summary().states[State.SUCCEEDED]

    assert list(shared.map(square, [3, 3, 3], key="thrice")) == [9, 9, 9]

    assert shared.store.summary().states[State.SUCCEEDED] == before + 3


def test_another_key_is_another_job(kept: DurableExecutor) -> None:
    kept.map(square, [1], key="one")
    kept.map(square, [1], key="two")

    assert len(kept.store.jobs()) == 2


def test_one_keyed_map_beside_itself_gets_every_result_twice(shared: DurableExecutor) -> None:
    first = shared.map(square, range(20), key="twins")
    second = shared.map(square, range(20), key="twins")

    assert list(first) == list(second) == [number**2 for number in range(20)]


def test_a_value_without_lasting_identity_is_refused_with_a_key(url: str) -> None:
    with DurableExecutor(url, authkey=b"k" * 32) as executor, pytest.raises(PayloadError):
        executor.map(square, [object()], key="odd")


SCRIPT = """
import sys
from pathlib import Path
from typing import Any
import lightwork as lw

@lw.task
def work(n: int) -> int:
    with Path("ran").open("a") as lines:
        lines.write(f"{n}\\n")
    return n * n

if __name__ == "__main__":
    with lw.executor("sqlite:///work.db", workers=2, lease=1.0) as executor:
        for done, result in enumerate(executor.map(work, range(300), key="k", buffersize=40)):
            print(result, flush=True)
"""


def test_a_program_that_is_killed_and_run_again_has_every_outcome_once(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(textwrap.dedent(SCRIPT))
    command = [sys.executable, "script.py"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    first = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    )
    with first:
        assert first.stdout is not None
        for _ in range(60):
            first.stdout.readline()
        first.send_signal(signal.SIGKILL)

    again = subprocess.run(
        command,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert [int(line) for line in again.stdout.split()] == [number**2 for number in range(300)]
    store = open_store(f"sqlite:///{tmp_path}/work.db")
    assert store.summary().states[State.SUCCEEDED] == 300
    assert store.check() == []
    store.close()
    runs = (tmp_path / "ran").read_text().split()
    # Only what was held at the kill may have run twice.
    assert len(set(runs)) == 300
    assert len(runs) <= 300 + 60
