"""Trials: plain items of a map that nobody has measured, which travel as one and are not one all the same."""

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bundle_calls as items
import calls
import pytest
import scenario_calls

from lightwork.errors import WorkerLost
from lightwork.pool.link.bundle_board import BundleBoard
from lightwork.pool.map import trial
from lightwork.pool.map.batcher import open_outcome
from lightwork.pool.map.trial import TRIAL_BYTES, TRIAL_MAX, pack_trial, run_star_trial, run_trial
from lightwork.pool.memory.control_block import ITEM, ITEM_SPAN, LIMIT, ControlBlock
from lightwork.pool.process.executor import ProcessExecutor
from waiting import wait_until

MANY = 3000


class Part:
    """A call for items of a trial, as the board knows it."""

    seq = 7

    def __init__(self, first: int, end: int) -> None:
        self.first, self.end = first, end


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the child takes for the time."""
    now = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    return now


def run(fn: Callable[..., Any], count: int, first: int = 0, end: int | None = None) -> Any:
    return run_trial(fn, pack_trial(range(count)), first=first, end=count if end is None else end)


# --- in the child


def test_items_are_run_in_order_and_each_has_its_result(page: ControlBlock) -> None:
    outcome = run(calls.double, 1000, 2, 902)

    assert open_outcome(outcome) == (list(range(4, 1804, 2)), {})
    assert outcome.done() == 900
    assert page.words[ITEM] == 7 * ITEM_SPAN + 900


def test_items_may_be_the_arguments_of_calls(page: ControlBlock) -> None:
    outcome = run_star_trial(pow, pack_trial([(n, 2) for n in range(100)]), first=0, end=100)

    assert open_outcome(outcome)[0] == [n * n for n in range(100)]
    assert page.words[ITEM] == 7 * ITEM_SPAN + 100


def test_short_items_begin_together_and_long_ones_alone(
    page: ControlBlock, clock: list[float]
) -> None:
    begun: list[int] = []

    def item(n: int) -> int:
        begun.append(page.words[ITEM] % ITEM_SPAN)
        clock[0] += 1e-3 if 5 <= n < 8 else 1e-9
        return n

    run(item, 30)

    # One, four, and of the sixteen behind them one was long: the next ones are few again.
    assert begun[:21] == [1] + [5] * 4 + [21] * 16
    assert begun[21:23] == [22, 26]


def test_an_item_that_takes_long_is_the_only_one_that_has_begun(
    page: ControlBlock, clock: list[float]
) -> None:
    begun: list[int] = []

    def item(n: int) -> int:
        begun.append(page.words[ITEM] % ITEM_SPAN - n)
        clock[0] += 50e-6
        return n

    run(item, 30)

    assert set(begun) == {1}


def test_a_trial_ends_when_its_items_have_run_long_enough(
    page: ControlBlock, clock: list[float]
) -> None:
    def item(n: int) -> int:
        clock[0] += 1e-3
        return n

    outcome = run(item, 100)

    assert 30 <= outcome.done() <= 31
    assert outcome.seconds == pytest.approx(outcome.done() * 1e-3)
    assert page.words[ITEM] == 7 * ITEM_SPAN + outcome.done()


def test_the_board_shows_what_is_done(page: ControlBlock) -> None:
    seen: list[Any] = []

    def look(n: int) -> int:
        if n == 5:
            begun, done = BundleBoard(page).read(Part(0, 30))
            seen.append((begun >= 6, open_outcome(done), done.done()))
        return n

    run(look, 30)

    assert seen == [(True, ([0, 1, 2, 3, 4], {}), 5)]


@pytest.mark.parametrize("limit", [0, 1, 3, 20, 500])
def test_an_item_that_is_forbidden_is_not_begun(page: ControlBlock, limit: int) -> None:
    ran: list[int] = []
    page.words[LIMIT] = 7 * ITEM_SPAN + limit

    outcome = run(ran.append, 1000)

    assert ran == list(range(limit))
    assert outcome.done() == limit
    assert page.words[ITEM] == 7 * ITEM_SPAN + limit


def test_half_of_what_is_not_begun_can_be_taken(page: ControlBlock) -> None:
    taken: list[int] = []
    ran: list[int] = []

    def take(n: int) -> None:
        ran.append(n)
        if n == 1:
            taken.append(BundleBoard(page).forbid_half(Part(0, 1000)))

    run(take, 1000)

    # One, four at once, and half of the rest.
    assert taken == [502]
    assert ran == list(range(502))


def test_every_item_that_fails_does_so_alone(page: ControlBlock) -> None:
    outcome = run(items.odd_one, 100)
    values, failures = open_outcome(outcome)
    while len(values) < 100:
        # What did not fit onto the board, in a call of its own.
        more, failed = open_outcome(run(items.odd_one, 100, len(values)))
        failures |= {len(values) + at: error for at, error in failed.items()}
        values += more

    assert sorted(failures) == [10, 20, 30, 40, 70]
    assert [type(failures[at]).__name__ for at in (10, 20, 30, 70)] == [
        "ValueError",
        "SystemExit",
        "TypeError",
        "ValueError",
    ]
    assert (values[50], values[60]) == (bytes(50_000), bytearray(200_000))
    good = [n for n in range(100) if n % 10 or n in {0, 80, 90}]
    assert [values[n] for n in good] == good
    assert page.words[ITEM]


def test_what_comes_behind_a_full_board_is_not_lost(page: ControlBlock) -> None:
    def item(n: int) -> Any:
        if n == 20:
            raise ValueError(n)
        return threading.Lock() if n == 19 else bytes(9000) if n > 5 else n

    outcome = run(item, 21)
    values, failures = open_outcome(outcome)

    assert outcome.done() == len(values) >= 9
    assert values[:6] == [0, 1, 2, 3, 4, 5]
    assert all(n in failures or value == bytes(9000) for n, value in enumerate(values[6:], 6))
    assert set(failures) <= {19, 20}
    assert page.words[ITEM]


def test_a_function_that_raises_stop_iteration_ends_nothing(page: ControlBlock) -> None:
    def item(n: int) -> int:
        if n == 7:
            raise StopIteration
        return n

    values, failures = open_outcome(run(item, 20))

    assert values == [*range(7), None, *range(8, 20)]
    assert list(failures) == [7]
    assert page.words[ITEM]


def test_results_that_are_not_plain_are_nobody_elses(page: ControlBlock) -> None:
    shared: list[int] = []

    def item(n: int) -> list[int]:
        shared.append(n)
        return shared

    values, failures = open_outcome(run(item, 50))

    # As each was when its item ended, if it did so alone; and no two are one object.
    assert (len(values), failures) == (50, {})
    assert len({id(value) for value in values}) == 50


@pytest.mark.process
@pytest.mark.parametrize("chunksize", ["auto", 1])
def test_one_large_result_that_cannot_be_loaded_costs_no_other(
    pool: ProcessExecutor, chunksize: Any
) -> None:
    call = items.one_large_cannot_be_loaded

    found: list[Any] = list(pool.map(call, range(200), chunksize=chunksize, errors="return"))

    assert [n for n, value in enumerate(found) if value != n] == [100]
    assert type(found[100]) is LookupError


@pytest.mark.parametrize("other", ["text", b"", 1j, [1], (1, [2]), {1: 2}, object, range(3)])
def test_numbers_with_others_among_them_keep_what_they_are(
    page: ControlBlock, other: object
) -> None:
    given = [1, True, 2.5, None, other] * 100

    values, failures = open_outcome(run(given.__getitem__, 500))

    assert (values, failures) == (given, {})
    assert {*map(type, values)} == {*map(type, given)}


def test_one_result_that_cannot_be_loaded_costs_no_other(page: ControlBlock) -> None:
    values, failures = open_outcome(run(items.one_cannot_be_loaded, 600))

    assert list(failures) == [300]
    assert isinstance(failures[300], LookupError)
    assert [value for value in values if value is not None] == [[n] for n in range(600) if n != 300]


def test_after_an_item_that_changes_the_process_each_runs_alone(
    page: ControlBlock, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    changed: dict[object, object] = {}
    seen: list[tuple[int, bool]] = []
    monkeypatch.setattr(trial, "changed", changed)
    monkeypatch.setattr(trial, "undo", changed.clear)

    def item(n: int) -> None:
        seen.append((n, bool(changed)))
        if n >= 300:
            changed["folder"] = "/"

    run(item, 600)

    others = [n for n, sees in seen if sees]
    assert len(seen) == 600
    # Those that had begun with the first that did.
    assert others == list(range(301, 301 + len(others)))
    assert len(others) < 256


# --- what travels so


@pytest.mark.parametrize(
    "given", [range(10), ["a", 1, None, 2.0], [(1, "a"), (None, b"b")], [1], [True, 1j]]
)
def test_plain_items_go_on_trial(given: Any) -> None:
    assert pack_trial(given)


@pytest.mark.parametrize(
    "given",
    [
        [1, [2]],
        [items.CannotBePickled()],
        [(1, items.CannotBeLoaded())],
        [1, (2,)],
        ["x" * TRIAL_BYTES, "y"],
        range(TRIAL_MAX + 1),
    ],
)
def test_others_do_not(given: Any) -> None:
    assert not pack_trial(given)


def test_a_range_travels_as_one_however_many_items_it_has() -> None:
    assert len(pack_trial(range(TRIAL_MAX))) < 64


# --- with children


@pytest.mark.process
@pytest.mark.parametrize("deadly", [0, 1, 5, 700, MANY - 1])
def test_a_death_costs_what_had_begun_and_no_item_runs_twice(
    pool: ProcessExecutor, tmp_path: Path, deadly: int
) -> None:
    path = str(tmp_path / "ran")
    given = [(path, n, deadly) for n in range(MANY)]

    found: list[Any] = list(pool.map(items.note_or_die, given, errors="return"))

    lost = [n for n, value in enumerate(found) if value != n]
    assert deadly in lost
    assert lost == list(range(lost[0], lost[0] + len(lost)))
    assert all(isinstance(found[n], WorkerLost) for n in lost)
    assert len({id(found[n]) for n in lost}) == len(lost)
    ran = Counter(map(int, Path(path).read_text().splitlines()))
    assert set(ran.values()) == {1}
    assert set(ran) >= {n for n in range(MANY) if n not in lost}


@pytest.mark.process
def test_of_items_that_are_not_short_a_death_costs_one(
    pool: ProcessExecutor, tmp_path: Path
) -> None:
    path = str(tmp_path / "ran")
    given = [(path, n, 250) for n in range(500)]

    found: list[Any] = list(pool.map(items.slowly_note_or_die, given, errors="return"))

    assert [n for n, value in enumerate(found) if value != n] == [250]
    assert sorted(map(int, Path(path).read_text().splitlines())) == list(range(500))


@pytest.mark.process
def test_items_behind_a_long_one_run_elsewhere_meanwhile(
    pool: ProcessExecutor, tmp_path: Path
) -> None:
    gate = str(tmp_path / "gate")
    # The first item waits for one of its own trial.
    given = [(gate, n, 0, 900) for n in range(2000)]

    assert list(pool.map(items.open_or_wait, given)) == list(range(2000))


@pytest.mark.process
@pytest.mark.parametrize("ordered", [True, False])
def test_each_item_fails_alone_whatever_it_does(pool: ProcessExecutor, *, ordered: bool) -> None:
    found: list[Any] = list(pool.map(items.odd_one, range(1000), errors="return", ordered=ordered))

    assert Counter(type(value).__name__ for value in found) == {
        "int": 930,
        "ValueError": 20,
        "SystemExit": 10,
        "TypeError": 10,
        "RemoteError": 10,
        "bytes": 10,
        "bytearray": 10,
    }


@pytest.mark.process
@pytest.mark.parametrize("is_lazy", [False, True])
@pytest.mark.parametrize("chunksize", ["auto", 1])
def test_a_map_that_is_closed_early_runs_nothing_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, chunksize: Any, *, is_lazy: bool
) -> None:
    path = str(tmp_path / "ran")
    given = [(path, n) for n in range(2000)]
    with ProcessExecutor(2) as pool:
        results = pool.map(
            items.note_and_take_long, iter(given) if is_lazy else given, chunksize=chunksize
        )
        assert [next(results), next(results)] == [0, 1]
        results.close()

    # Of five seconds of work for each child.
    assert len(Path(path).read_text().splitlines()) < 1500
    assert not caplog.records


@pytest.mark.process
def test_a_fork_that_comes_back_from_an_item_on_trial_runs_no_other(
    single: ProcessExecutor, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    given = [(str(here), n, n % 100 == 50) for n in range(600)]

    assert list(single.map(scenario_calls.fork_or_not, given)) == list(range(600))

    wait_until(lambda: len(here.read_text().splitlines()) >= 6, "every fork has run")
    assert single.submit(calls.double, 2).result() == 4
    assert len(here.read_text().splitlines()) == 6


@pytest.mark.process
def test_items_of_other_kinds_among_plain_ones_go_in_bundles(pool: ProcessExecutor) -> None:
    given: list[object] = list(range(3000))
    given[1], given[2000], given[2500] = items.CannotBePickled(), items.CannotBeLoaded(), [1]

    found: list[Any] = list(pool.map(items.kind, given[:40], errors="return"))

    assert isinstance(found[1], TypeError)
    assert Counter(map(type, found))[str] == 39
    lists: list[Any] = [[n] for n in range(500)]
    assert list(pool.map(calls.double, lists)) == [2 * one for one in lists]
