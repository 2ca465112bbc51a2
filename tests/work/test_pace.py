"""Pace: how far ahead a worker claims."""

import pytest

from lightwork.work.pace import (
    HELD_MAX,
    LATE_SECONDS,
    QUIET_SECONDS,
    bundle_size,
    claim_limit,
    groups_of,
    held_target,
    next_batch,
    next_mean,
    patience,
)


def test_a_worker_that_knows_nothing_claims_one_job_a_slot() -> None:
    assert claim_limit(4, 0, -1.0) == 4


def test_long_jobs_are_not_claimed_ahead() -> None:
    assert held_target(2, 10.0) == 2


def test_short_jobs_are_claimed_ahead_for_a_twentieth_of_a_second() -> None:
    assert held_target(2, 0.01) == 2 + 10


def test_no_duration_is_short_enough_to_hold_more_than_the_most() -> None:
    assert held_target(2, 0.0) == HELD_MAX


def test_many_slots_may_exceed_the_most() -> None:
    assert held_target(HELD_MAX + 24, 0.0) == HELD_MAX + 24


def test_no_claim_is_made_for_less_than_half_a_batch() -> None:
    target = held_target(2, 0.0001)

    assert claim_limit(2, target // 2 + 1, 0.0001) == 0
    assert claim_limit(2, target // 2, 0.0001) == target - target // 2


def test_a_free_slot_is_filled_at_once() -> None:
    assert claim_limit(4, 3, 10.0) == 1


@pytest.mark.parametrize("held", [4, 5, 5000])
def test_a_full_worker_claims_nothing(held: int) -> None:
    assert claim_limit(4, held, 10.0) == 0


def test_the_first_duration_is_the_mean() -> None:
    assert next_mean(-1.0, 3.0) == 3.0


def test_one_outlier_moves_the_mean_by_a_tenth() -> None:
    assert next_mean(1.0, 11.0) == pytest.approx(2.0)


def test_mean_of_several_is_the_same_whichever_comes_last() -> None:
    one_by_one = next_mean(next_mean(1.0, 3.0), 3.0)

    assert next_mean(1.0, 6.0, 2) == pytest.approx(one_by_one)
    assert next_mean(1.0, 0.0, 0) == 1.0


@pytest.mark.parametrize(
    ("limit", "seconds", "following"),
    [(100, 0.01, 100), (100, 1.0, 50), (100, 0.000001, 200), (100, 0.008, 125), (50, 9.0, 50)],
)
def test_batches_of_upkeep_follow_what_the_last_took(
    limit: int, seconds: float, following: int
) -> None:
    assert next_batch(limit, seconds) == following


def test_a_worker_whose_jobs_do_not_end_claims_nothing_ahead() -> None:
    assert claim_limit(2, 2, 0.0001, QUIET_SECONDS) == 0
    assert claim_limit(2, 1, 0.0001, QUIET_SECONDS) == 1


def test_what_waits_is_handed_back_at_once_where_nothing_ends() -> None:
    assert patience(QUIET_SECONDS) == 0.0


def test_what_waits_is_kept_a_while_where_jobs_end() -> None:
    assert patience(QUIET_SECONDS / 2) == LATE_SECONDS


@pytest.mark.parametrize(
    ("mean", "size"),
    [(-1.0, 1), (0.01, 1), (0.001, 10), (0.0001, 100), (0.00001, 250)],
    ids=["unknown", "long", "a millisecond", "short", "tiny"],
)
def test_short_jobs_go_to_the_pool_together(mean: float, size: int) -> None:
    assert bundle_size(2, mean, 1000) == size


def test_groups_keep_the_order_and_what_takes_a_free_slot_is_alone() -> None:
    groups = groups_of("aaaabbba", 2, 3, lambda one, other: one == other)

    assert list(groups) == ["a", "a", "aa", "bbb", "a"]
