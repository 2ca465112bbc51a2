"""Attempts of short jobs travel together, and are many all the same; see work/flight/bundled.py."""

import os
import signal
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lightwork.clock import monotonic
from lightwork.codec import Codec, Subject
from lightwork.lifecycle import (
    AttemptEnd,
    Cancelled,
    Failed,
    Lost,
    Released,
    Succeeded,
)
from lightwork.model import Attempt
from lightwork.pool.call.current import current
from lightwork.pool.memory.control_block import PEEKING
from lightwork.pool.process.executor import ProcessExecutor
from lightwork.pool.thread.executor import ThreadExecutor
from lightwork.tasks.task import task
from lightwork.work.in_flight import InFlight
from lightwork.work.runner import AsyncRunner, Runner
from waiting import wait_until
from work.made import attempt

pytestmark = pytest.mark.process
needs_peeking = pytest.mark.skipif(not PEEKING, reason="what runs in a bundle cannot be seen here")
CODEC = Codec()


@task
def act(word: str, folder: str = "") -> Any:
    """Do what the word says."""
    match word:
        case "raise":
            raise ValueError("no")
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "report":
            current().progress(1, 2, "half of it")
        case "wait":
            (Path(folder) / "entered").touch()
            while not (Path(folder) / "leave").exists():
                time.sleep(0.005)
            return current().cancelled
        case "large":
            return b"x" * 1_000_000
    return word


@pytest.fixture
def held() -> Iterator[InFlight]:
    with ProcessExecutor(1) as executor:
        yield InFlight(executor, wake=lambda: None)
        executor.kill_workers()


def start(held: InFlight, *words: str, folder: Path | None = None) -> list[Attempt]:
    made = [
        attempt(act.name, CODEC.encode_call(Subject(uuid.UUID(int=1), act.name), (word, str(folder)), {}, fn=act.fn))
        for word in words
    ]  # fmt: skip
    held.start_together(made, Runner(act, CODEC, act.name))
    return made


def ends(held: InFlight, count: int) -> list[AttemptEnd]:
    """Return how so many attempts have ended, in the order in which they were made."""
    found: dict[int, AttemptEnd] = {}

    def has_all() -> bool:
        found.update({made.seq: end for made, end, _ in held.take_finished()})
        return len(found) == count

    wait_until(has_all, f"{count} ends")
    return [found[seq] for seq in sorted(found)]


def value_of(made: Attempt, end: AttemptEnd) -> Any:
    assert isinstance(end, Succeeded)
    return CODEC.decode_result(Subject(made.job_id, made.task), end.result)


def entered(folder: Path) -> None:
    wait_until((folder / "entered").exists, "the one that waits")


def test_each_has_its_own_result(held: InFlight) -> None:
    made = start(held, *map(str, range(300)))

    found = ends(held, 300)

    assert [value_of(*pair) for pair in zip(made, found, strict=True)] == [*map(str, range(300))]
    assert len(held) == 0


def test_one_that_raises_fails_alone(held: InFlight) -> None:
    start(held, "a", "raise", "b")

    assert [type(end) for end in ends(held, 3)] == [Succeeded, Failed, Succeeded]


def test_one_that_kills_its_child_is_lost_alone(held: InFlight) -> None:
    start(held, "a", "die", "b", "die", "c")

    assert [type(end) for end in ends(held, 5)] == [Succeeded, Lost, Succeeded, Lost, Succeeded]


def test_a_large_result_arrives(held: InFlight) -> None:
    made = start(held, "a", "large", "b")

    assert value_of(made[1], ends(held, 3)[1]) == b"x" * 1_000_000


def test_each_reports_for_itself(held: InFlight) -> None:
    made = start(held, "a", "report", "b")
    ends(held, 3)

    ((of, progress),) = held.take_progress()

    assert of is made[1]
    assert (progress.done, progress.total, progress.note) == (1, 2, "half of it")


@needs_peeking
def test_only_what_has_begun_is_said_to_have_begun(held: InFlight, tmp_path: Path) -> None:
    made = start(held, "a", "wait", "b", "c", folder=tmp_path)
    entered(tmp_path)

    begun = held.take_begun()
    (tmp_path / "leave").touch()

    assert begun == made[:2]
    assert held.take_begun() == []
    assert not any(isinstance(end, Released) for end in ends(held, 4))


@needs_peeking
def test_what_waits_behind_a_long_one_can_be_handed_back(held: InFlight, tmp_path: Path) -> None:
    start(held, "a", "wait", "b", "c", folder=tmp_path)
    entered(tmp_path)
    found: list[tuple[Attempt, AttemptEnd, float]] = []

    def hands_back() -> bool:
        held.hand_back_waiting()
        found.extend(held.take_finished())
        return len(found) == 2

    wait_until(hands_back, "those behind it")
    (tmp_path / "leave").touch()

    assert [end for _, end, _ in found] == [Released(), Released()]
    assert [type(end) for end in ends(held, 2)] == [Succeeded, Succeeded]


@needs_peeking
def test_one_that_runs_is_asked_to_stop_and_its_neighbours_are_not(
    held: InFlight, tmp_path: Path
) -> None:
    made = start(held, "a", "wait", "b", folder=tmp_path)
    entered(tmp_path)

    # As often as the store is asked: first those behind it must be another call.
    def is_asked() -> bool:
        held.cancel(made[1].job_id, 1, kill=False)
        return held._held[made[2].seq].call is not held._held[made[1].seq].call

    wait_until(is_asked, "those behind it to be another call")
    held.cancel(made[1].job_id, 1, kill=False)
    (tmp_path / "leave").touch()

    found = ends(held, 3)
    assert value_of(made[1], found[1]) is True
    assert value_of(made[2], found[2]) == "b"


@needs_peeking
def test_one_that_runs_is_cancelled_by_a_kill(held: InFlight, tmp_path: Path) -> None:
    made = start(held, "wait", "b", folder=tmp_path)
    entered(tmp_path)

    def is_killed() -> bool:
        held.cancel(made[0].job_id, 1, kill=True)
        return held._held[made[0].seq].call.future.done()

    wait_until(is_killed, "the kill")

    found = ends(held, 2)
    assert found[0] == Cancelled()
    assert value_of(made[1], found[1]) == "b"


@needs_peeking
def test_a_bundle_that_goes_back_counts_as_many_as_it_has(held: InFlight, tmp_path: Path) -> None:
    start(held, "wait", folder=tmp_path)
    entered(tmp_path)
    start(held, "first")
    start(held, "a", "b", "c")

    count = held.hand_back_late(3, monotonic())
    (tmp_path / "leave").touch()

    assert count == 3
    assert [type(end) for end in ends(held, 5)] == [Succeeded, Succeeded, *[Released] * 3]


def test_what_is_interrupted_is_handed_back(held: InFlight, tmp_path: Path) -> None:
    start(held, "wait", "b", folder=tmp_path)
    entered(tmp_path)

    held.interrupt()

    assert ends(held, 2) == [Released(), Released()]


@pytest.mark.parametrize(
    ("policy", "can"),
    [({}, True), ({"timeout": 1.0}, False), ({"max_memory": 1 << 30}, False), ({"idempotent": False}, False)],
)  # fmt: skip
def test_what_is_promised_of_a_call_by_itself_travels_alone(
    held: InFlight, policy: dict[str, Any], can: bool
) -> None:
    assert held.can_travel_together(attempt(**policy), Runner(act, CODEC, "act")) is can


def test_large_payloads_coroutines_and_threads_have_no_bundles(held: InFlight) -> None:
    runner = Runner(act, CODEC, "act")

    assert not held.can_travel_together(attempt(payload=b"x" * 5000), runner)
    assert not held.can_travel_together(attempt(), AsyncRunner(act, CODEC, "act"))
    with ThreadExecutor(1) as executor:
        assert not InFlight(executor, wake=lambda: None).can_travel_together(attempt(), runner)
