"""Histograms: where a duration belongs, and what can be told of many."""

import pytest

from lightwork.store.histogram import LAST_BUCKET, bucket_of, quantile, upper_bound


@pytest.mark.parametrize("seconds", [0.0, 0.0004, 0.001, 0.0011, 0.002, 0.9, 1.024, 1.0241, 3600])
def test_a_duration_is_in_the_first_bucket_whose_bound_it_does_not_pass(seconds: float) -> None:
    bucket = bucket_of(seconds)

    assert seconds <= upper_bound(bucket)
    assert bucket == 0 or seconds > upper_bound(bucket - 1)


def test_what_takes_weeks_is_in_the_last_bucket() -> None:
    assert bucket_of(1e7) == LAST_BUCKET


def test_the_median_lies_between_the_bounds_of_its_bucket() -> None:
    found = quantile({0: 10, 5: 80, 9: 10}, 0.5)

    assert upper_bound(4) < found < upper_bound(5)


def test_the_quantile_of_nothing_is_zero() -> None:
    assert quantile({}, 0.95) == 0.0
