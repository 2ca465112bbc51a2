"""Which setups are measured, with how many items, in which order."""

import pytest
from made_up import inline, measured, row

from lightwork.tune.figures import INLINE, Setup
from lightwork.tune.plan import (
    ITEMS_MAX,
    Cost,
    chunk_setups,
    expected_seconds,
    items_for,
    items_per_run,
    order_of_round,
    scaling_setups,
)


def counts(setups: list[Setup], kind: str) -> list[int]:
    return sorted(setup.workers for setup in setups if setup.kind == kind)


@pytest.mark.parametrize(
    ("cpus", "expected"), [(1, [1]), (2, [1, 2]), (6, [1, 2, 4, 6]), (8, [1, 2, 4, 8])]
)
def test_workers_grow_up_to_the_cpus(cpus: int, expected: list[int]) -> None:
    setups = scaling_setups(cpus, is_waiting=False, has_processes=True)

    assert counts(setups, "threads") == expected
    assert counts(setups, "processes") == expected


def test_a_function_that_waits_gets_more_workers_than_cpus() -> None:
    setups = scaling_setups(2, is_waiting=True, has_processes=True)

    assert counts(setups, "threads") == [1, 2, 4, 8, 16, 32]
    assert counts(setups, "processes") == [1, 2, 4]


def test_what_cannot_be_pickled_gets_no_processes() -> None:
    setups = scaling_setups(4, is_waiting=False, has_processes=False)

    assert counts(setups, "processes") == []


@pytest.mark.parametrize(("is_waiting", "kind"), [(False, "processes"), (True, "threads")])
def test_the_likely_winner_is_measured_first(is_waiting: bool, kind: str) -> None:
    setups = scaling_setups(4, is_waiting=is_waiting, has_processes=True)

    assert setups[:2] == [INLINE, Setup("processes" if kind == "processes" else "threads", 4)]


def test_chunk_sizes_are_compared_on_the_best_process_pool() -> None:
    found = measured(inline(1e-5), row("processes:2", 1.8), row("processes:4", 1.2))

    setups = chunk_setups(found, Cost(1e-5))

    assert setups == [INLINE, *(Setup("processes", 2, size) for size in ("auto", 1, 10, 100))]


def test_chunk_sizes_of_long_calls_are_not_compared() -> None:
    found = measured(inline(0.1), row("processes:2", 1.8))

    assert chunk_setups(found, Cost(0.1)) == []


def test_chunk_sizes_without_processes_are_not_compared() -> None:
    assert chunk_setups(measured(inline(1e-5), row("threads:2", 1.0)), Cost(1e-5)) == []


@pytest.mark.parametrize(("seconds", "expected"), [(1e-9, ITEMS_MAX), (0.01, 80), (60.0, 1)])
def test_slow_items_are_few(seconds: float, expected: int) -> None:
    items = items_per_run(Cost(seconds, start=0.0), setups=5, time_left=12.0)

    assert items == expected


def test_what_is_costly_to_send_is_sent_less() -> None:
    light = items_per_run(Cost(0.001), setups=5, time_left=12.0)
    heavy = items_per_run(Cost(0.001, travel=0.009), setups=5, time_left=12.0)

    assert light == pytest.approx(10 * heavy, rel=0.1)


def test_every_worker_has_work_however_few_the_items() -> None:
    assert items_for(Setup("threads", 32), 1, Cost(0.3)) == 32
    assert items_for(Setup("threads", 4), 9, Cost(0.3)) == 12
    assert items_for(Setup("threads", 4), 1001, Cost(0.3)) == 1001


def test_costly_chunks_get_fewer_items_but_some_chunks_for_each_worker() -> None:
    singles = items_for(Setup("processes", 2, 1), 500_000, Cost(1e-7))
    hundreds = items_for(Setup("processes", 2, 100), 1000, Cost(1e-7))

    assert singles < 1000
    assert hundreds == 800


def test_only_waiting_is_expected_to_gain_from_workers() -> None:
    threads = Setup("threads", 8)

    working = expected_seconds(threads, 8, Cost(1.0))
    waiting = expected_seconds(threads, 8, Cost(1.0, is_waiting=True))

    assert working == pytest.approx(8.0, rel=0.01)
    assert waiting == pytest.approx(1.0, rel=0.01)


def test_each_round_starts_with_another_setup_and_runs_all() -> None:
    setups = scaling_setups(4, is_waiting=False, has_processes=True)

    rounds = [order_of_round(setups, number) for number in range(3)]

    assert all(sorted(map(str, order)) == sorted(map(str, setups)) for order in rounds)
    assert all(order[0] == INLINE for order in rounds)
    assert len({order[1] for order in rounds}) == 3
