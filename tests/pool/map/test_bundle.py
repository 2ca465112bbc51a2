"""Bundles: items that travel together and are calls of their own all the same."""

import contextlib
import os
import random
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import bundle_calls as items
import calls
import pytest

from lightwork.errors import RemoteError, WorkerLost
from lightwork.pool.call.options import CallOptions
from lightwork.pool.link.bundle_board import BundleBoard
from lightwork.pool.map.batcher import open_outcome
from lightwork.pool.map.bundle import Parcel, pack_items, run_bundle
from lightwork.pool.map.trial import pack_trial, run_trial
from lightwork.pool.memory.control_block import (
    BUNDLE_MAX,
    ITEM,
    ITEM_SPAN,
    LIMIT,
    STARTED,
    ControlBlock,
)
from lightwork.pool.process.executor import ProcessExecutor

MANY = 3000


def parcel(count: int) -> Parcel:
    return pack_items(range(count))[0]


class Part:
    """A call for items of a bundle, as the board knows it."""

    def __init__(self, first: int, end: int) -> None:
        self.seq, self.first, self.end = 7, first, end


# --- in the child


def test_items_are_run_in_order_and_each_has_its_result(page: ControlBlock) -> None:
    outcome = run_bundle(calls.double, parcel(10), first=2, end=5)

    assert open_outcome(outcome) == ([4, 6, 8], {})
    assert outcome.done() == 3
    assert page.words[ITEM] == 7 * ITEM_SPAN + 3


def test_the_board_shows_what_is_done_while_an_item_runs(page: ControlBlock) -> None:
    seen: list[Any] = []

    def look(n: int) -> int:
        begun, done = BundleBoard(page).read(Part(0, 3))
        seen.append((begun, done.done()))
        return n

    run_bundle(look, parcel(3), first=0, end=3)

    assert seen == [(1, 0), (2, 1), (3, 2)]


def test_an_item_that_is_forbidden_is_not_begun(page: ControlBlock) -> None:
    page.words[LIMIT] = 7 * ITEM_SPAN + 2

    outcome = run_bundle(calls.double, parcel(10), first=0, end=10)

    assert outcome.done() == 2
    assert page.words[ITEM] == 7 * ITEM_SPAN + 2


def test_a_limit_of_another_call_forbids_nothing(page: ControlBlock) -> None:
    page.words[LIMIT] = 6 * ITEM_SPAN + 2

    assert run_bundle(calls.double, parcel(10), first=0, end=10).done() == 10


def test_a_result_that_does_not_fit_ends_the_bundle_and_is_not_lost(page: ControlBlock) -> None:
    outcome = run_bundle(bytes, pack_items([5, 40_000, 5])[0], first=0, end=3)

    assert open_outcome(outcome) == ([bytes(5), bytes(40_000)], {})


def test_a_full_board_ends_the_bundle(page: ControlBlock) -> None:
    outcome = run_bundle(bytes, pack_items([3000] * 100)[0], first=0, end=100)

    assert 1 < outcome.done() < 100
    assert open_outcome(outcome)[0] == [bytes(3000)] * outcome.done()


# --- taking back


def test_what_is_not_begun_can_be_taken_back(page: ControlBlock) -> None:
    part = Part(10, 20)
    page.words[ITEM] = 7 * ITEM_SPAN + 4

    assert BundleBoard(page).forbid_rest(part) == 14
    assert page.words[LIMIT] == 7 * ITEM_SPAN + 4


@pytest.mark.parametrize(("begun", "at"), [(0, 15), (4, 17), (8, 19), (9, 19), (10, 0)])
def test_half_of_what_is_not_begun_can_be_taken_for_who_is_idle(
    page: ControlBlock, begun: int, at: int
) -> None:
    page.words[ITEM] = 7 * ITEM_SPAN + begun

    assert BundleBoard(page).forbid_half(Part(10, 20)) == at


def test_a_bundle_goes_on_up_to_the_half_that_was_taken(page: ControlBlock) -> None:
    taken: list[int] = []

    def take_half(n: int) -> int:
        if n == 2:
            taken.append(BundleBoard(page).forbid_half(Part(0, 10)))
        return n

    outcome = run_bundle(take_half, parcel(10), first=0, end=10)

    assert taken == [6]
    assert open_outcome(outcome)[0] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("item", "why"), [(6 * ITEM_SPAN + 4, "another call"), (7 * ITEM_SPAN + 10, "all are begun")]
)
def test_nothing_is_taken_back_when_nothing_can_be(page: ControlBlock, item: int, why: str) -> None:
    page.words[ITEM] = item

    assert BundleBoard(page).forbid_rest(Part(10, 20)) == 0, why


def test_only_a_bundle_that_stays_at_one_item_has_stalled(page: ControlBlock) -> None:
    board = BundleBoard(page)
    page.words[ITEM] = 7 * ITEM_SPAN + 1
    assert board.stalled_call(100.0, 1.0) == 0
    page.words[ITEM] = 7 * ITEM_SPAN + 2
    assert board.stalled_call(102.0, 1.0) == 0

    assert board.stalled_call(103.5, 1.0) == 7


def run_in_bundle(ran: list[int]) -> object:
    return run_bundle(ran.append, parcel(BUNDLE_MAX), first=0, end=BUNDLE_MAX)


def run_on_trial(ran: list[int]) -> object:
    return run_trial(ran.append, pack_trial(range(BUNDLE_MAX)), first=0, end=BUNDLE_MAX)


@pytest.mark.parametrize("run", [run_in_bundle, run_on_trial])
@pytest.mark.parametrize("forbid", [BundleBoard.forbid_rest, BundleBoard.forbid_half])
def test_taking_back_and_beginning_never_both_get_an_item(
    page: ControlBlock,
    forbid: Callable[[BundleBoard, Part], int],
    run: Callable[[list[int]], object],
) -> None:
    """The pool and the child race for items, without a lock, thousands of times."""
    races = 0
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for seq in range(8, 60):
            races += _race(page, seq, forbid, run)
    finally:
        sys.setswitchinterval(interval)

    assert races


def _race(
    page: ControlBlock,
    seq: int,
    forbid: Callable[[BundleBoard, Part], int],
    run: Callable[[list[int]], object],
) -> bool:
    """Take items back while they run; return whether any were."""
    ran: list[int] = []
    taken: list[int] = []
    stop = threading.Event()
    part = Part(0, BUNDLE_MAX)
    part.seq = page.words[STARTED] = seq

    def take_back() -> None:
        while not stop.is_set():
            if at := forbid(BundleBoard(page), part):
                taken.append(at)
                return

    thread = threading.Thread(target=take_back)
    thread.start()
    run(ran)
    stop.set()
    thread.join()

    assert ran == list(range(len(ran)))
    assert not taken or len(ran) == taken[0]
    return bool(taken)


# --- what does not travel so


def test_an_item_that_must_travel_alone_ends_the_parcel() -> None:
    for odd in (bytes(100_000), items.CannotBePickled(), threading.Lock()):
        assert pack_items([1, 2, odd, 3])[1] == 2
    assert pack_items([items.CannotBePickled()])[1] == 0
    assert pack_items(range(2 * BUNDLE_MAX))[1] == BUNDLE_MAX


# --- with children


@pytest.fixture
def started(pool: ProcessExecutor, monkeypatch: pytest.MonkeyPatch) -> list[CallOptions]:
    """The options of each call that the pool is given."""
    seen: list[CallOptions] = []
    start_call = pool.start_call

    def watch(fn: Any, args: Any, kwargs: Any, options: CallOptions) -> Future[Any]:
        seen.append(options)
        return start_call(fn, args, kwargs, options)

    monkeypatch.setattr(pool, "start_call", watch)
    return seen


@pytest.mark.process
@pytest.mark.parametrize("chunksize", [1, "auto"])
@pytest.mark.parametrize("count", [10, 100, 1000])
def test_few_items_travel_in_few_calls(
    pool: ProcessExecutor, started: list[CallOptions], count: int, chunksize: Any
) -> None:
    assert list(pool.map(abs, range(count), chunksize=chunksize)) == list(range(count))

    assert len(started) <= min(count * 0.8, 60)


@pytest.mark.process
def test_short_items_travel_together(pool: ProcessExecutor, started: list[CallOptions]) -> None:
    assert list(pool.map(calls.double, iter(range(MANY)), chunksize=1)) == list(
        range(0, 2 * MANY, 2)
    )
    assert len(started) < MANY / 2
    assert sum(options.items for options in started) == MANY


@pytest.mark.process
def test_where_calls_of_a_child_are_counted_items_go_alone() -> None:
    with ProcessExecutor(2, max_tasks_per_child=5) as pool:
        pids = Counter(pool.map(calls.pid, range(60), chunksize=1))

    assert max(pids.values()) <= 5


@pytest.mark.process
def test_several_iterables_travel_together(pool: ProcessExecutor) -> None:
    found = pool.map(items.add, range(MANY), iter(range(MANY)), chunksize=1)

    assert list(found) == list(range(0, 2 * MANY, 2))


@pytest.mark.process
@pytest.mark.parametrize("ordered", [True, False])
def test_each_item_fails_alone_whatever_it_does(pool: ProcessExecutor, *, ordered: bool) -> None:
    found: list[Any] = list(
        pool.map(items.odd_one, iter(range(1000)), chunksize=1, errors="return", ordered=ordered)
    )

    kinds = Counter(type(value) for value in found)
    assert kinds == {
        int: 930,
        ValueError: 20,
        SystemExit: 10,
        TypeError: 10,
        RemoteError: 10,
        bytes: 10,
        bytearray: 10,
    }
    if ordered:
        assert all(value == n for n, value in enumerate(found) if type(value) is int)
        assert all("Traceback" in str(found[n].__cause__) for n in (10, 110, 710))


@pytest.mark.process
def test_an_item_that_cannot_be_pickled_or_loaded_fails_alone(pool: ProcessExecutor) -> None:
    given: list[object] = list(range(1000))
    given[500], given[600], given[700] = (
        items.CannotBePickled(),
        items.CannotBeLoaded(),
        bytes(100_000),
    )

    found: list[Any] = list(pool.map(items.kind, given, chunksize=1, errors="return"))

    assert isinstance(found[500], TypeError)
    assert isinstance(found[600], ValueError)
    assert found[700] == "bytes"
    assert Counter(map(type, found))[str] == 998


@pytest.mark.process
@pytest.mark.parametrize("deadly", [0, 1, 700, MANY - 1])
def test_a_death_costs_one_item_and_no_item_runs_twice(
    pool: ProcessExecutor, tmp_path: Path, deadly: int
) -> None:
    path = str(tmp_path / "ran")
    given = iter([(path, n, deadly) for n in range(MANY)])

    found: list[Any] = list(pool.map(items.note_or_die, given, chunksize=1, errors="return"))

    assert isinstance(found[deadly], WorkerLost)
    assert "while it ran note_or_die; only this call is lost" in str(found[deadly])
    assert [n for n, value in enumerate(found) if value != n] == [deadly]
    ran = Path(path).read_text().splitlines()
    assert sorted(map(int, ran)) == list(range(MANY))


@pytest.mark.process
def test_with_auto_too_a_death_costs_one_item(pool: ProcessExecutor, tmp_path: Path) -> None:
    path = str(tmp_path / "ran")
    given = iter([(path, n, 2500) for n in range(MANY)])

    found: list[Any] = list(pool.map(items.slowly_note_or_die, given, errors="return"))

    assert [n for n, value in enumerate(found) if value != n] == [2500]


@pytest.mark.process
def test_items_behind_a_long_one_run_elsewhere_meanwhile(
    pool: ProcessExecutor, tmp_path: Path
) -> None:
    gate = str(tmp_path / "gate")
    # Whoever travels with the one that waits would wait with it for ever.
    given = iter([(gate, n, 2000, 2999) for n in range(MANY)])

    found = pool.map(items.open_or_wait, given, chunksize=1, buffersize=MANY)

    assert list(found) == list(range(MANY))


@pytest.mark.process
def test_what_a_dead_child_had_not_begun_runs_although_the_pool_is_closed(tmp_path: Path) -> None:
    path = str(tmp_path / "ran")
    with ProcessExecutor(1) as pool:
        warm = list(pool.map(calls.double, iter(range(500)), chunksize=1))
        found = pool.map(
            items.note_or_die, [(path, n, 20) for n in range(200)], chunksize=1, errors="return"
        )

    assert len(warm) == 500
    assert [n for n, value in enumerate(found) if value != n] == [20]


@pytest.mark.process
def test_a_function_that_kills_children_when_loaded_ends_its_items(pool: ProcessExecutor) -> None:
    found: list[Any] = list(
        pool.map(items.KillsWhenLoaded(), range(4), chunksize=1, errors="return")
    )

    assert [type(value) for value in found] == [WorkerLost] * 4


@pytest.mark.process
@pytest.mark.chaos
def test_children_killed_at_random_cost_one_item_each(tmp_path: Path) -> None:
    seed = random.randrange(1 << 30)
    chance = random.Random(seed)
    path = str(tmp_path / "ran")
    killed: list[int] = []
    with ProcessExecutor(2) as pool:
        found: list[Any] = []
        given = ((path, n, -1) for n in range(40 * MANY))
        for value in pool.map(items.note_or_die, given, chunksize=1, errors="return"):
            found.append(value)
            if len(found) % 400 == 0 and len(killed) < 40:
                pid = chance.choice(pool._pool.pids() or [0])
                if pid:
                    killed.append(pid)
                    # It may have ended since the list was made.
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            if len(found) == 20_000:
                break

    wrong = [(n, value) for n, value in enumerate(found) if value != n]
    assert all(isinstance(value, WorkerLost) for _, value in wrong), f"seed {seed}"
    assert len(wrong) <= len(set(killed)), f"seed {seed}"
    ran = Counter(Path(path).read_text().splitlines())
    assert set(ran.values()) == {1}, f"seed {seed}"
