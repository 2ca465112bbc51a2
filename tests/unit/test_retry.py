"""Retry: every branch of what follows a failure or a loss."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightwork.error_info import describe_error
from lightwork.lifecycle import Failed, Forfeited, Lost, Quarantined, Retried
from lightwork.model import Backoff, ErrorInfo, Policy
from lightwork.retry import after_failure, after_loss, delay_before, may_retry

ERROR = ErrorInfo(type="ValueError", text="x")
MRO = ("shop.CardRefused", "builtins.OSError", "builtins.Exception", "builtins.BaseException")
SECONDS = st.floats(0, 1e9, exclude_max=True)
CHANCES = st.floats(0, 1, exclude_max=True)


def test_the_first_retry_waits_the_starting_delay() -> None:
    assert delay_before(Backoff(base=3.0, jitter=0), failures=0, chance=0.5) == 3.0


def test_each_further_delay_grows_by_the_factor() -> None:
    backoff = Backoff(base=2.0, factor=3.0, jitter=0)

    assert [delay_before(backoff, n, 0.0) for n in range(3)] == [2.0, 6.0, 18.0]


def test_a_delay_never_exceeds_the_cap() -> None:
    assert delay_before(Backoff(base=2.0, cap=5.0, jitter=0), failures=9, chance=0.0) == 5.0


@pytest.mark.parametrize("factor", [2.0, 10**8])
def test_a_million_failures_do_not_overflow(factor: float) -> None:
    assert delay_before(Backoff(factor=factor, jitter=0), failures=10**6, chance=0.0) == 600.0


@pytest.mark.parametrize("failures", [0, 1, 10**6])
def test_no_starting_delay_means_no_delay(failures: int) -> None:
    assert delay_before(Backoff(base=0), failures, chance=0.0) == 0.0


def test_jitter_spreads_delays_over_its_share() -> None:
    backoff = Backoff(base=10.0, jitter=0.5)

    assert [delay_before(backoff, 0, chance) for chance in (0.0, 0.5, 1.0)] == [10.0, 7.5, 5.0]


def test_more_jitter_than_the_whole_delay_counts_as_the_whole() -> None:
    assert delay_before(Backoff(base=10.0, jitter=7.0), failures=0, chance=0.5) == 5.0


@given(
    st.builds(Backoff, base=SECONDS, factor=SECONDS, cap=SECONDS, jitter=SECONDS),
    st.integers(0, 10**6),
    CHANCES,
)
def test_every_delay_is_finite_and_within_the_cap(
    backoff: Backoff, failures: int, chance: float
) -> None:
    delay = delay_before(backoff, failures, chance)

    assert math.isfinite(delay)
    assert 0 <= delay <= backoff.cap


@pytest.mark.parametrize(
    ("retries", "failures", "expected"),
    [(0, 1, False), (1, 1, True), (1, 2, False), (3, 3, True), (3, 4, False)],
)
def test_as_many_retries_as_declared(retries: int, failures: int, expected: bool) -> None:
    assert may_retry(Policy(retries=retries), failures, MRO) is expected


@pytest.mark.parametrize(
    ("retry_on", "expected"),
    [
        ((), True),
        (("shop.CardRefused",), True),
        (("builtins.OSError",), True),
        (("OSError",), True),
        (("KeyError", "OSError"), True),
        (("CardRefused",), False),
        (("builtins.KeyError",), False),
        (("shop.OSError",), False),
    ],
)
def test_only_listed_exceptions_are_retried(retry_on: tuple[str, ...], expected: bool) -> None:
    assert may_retry(Policy(retries=1, retry_on=retry_on), 1, MRO) is expected


@pytest.mark.parametrize(
    ("listed", "name", "expected"),
    [
        ("__main__.CardRefused", "shop.CardRefused", True),
        ("shop.CardRefused", "__main__.CardRefused", True),
        ("__main__.CardRefused", "__main__.CardRefused", True),
        ("__main__.Refused", "shop.CardRefused", False),
    ],
)
def test_a_script_and_its_workers_mean_the_same_exception(
    listed: str, name: str, expected: bool
) -> None:
    assert may_retry(Policy(retries=1, retry_on=(listed,)), 1, [name]) is expected


def test_a_failure_with_retries_left_is_retried_after_the_delay() -> None:
    policy = Policy(retries=2, backoff=Backoff(base=4.0, jitter=0))

    end = after_failure(policy, 1, ERROR, MRO, chance=0.0)

    assert end == Retried(ERROR, 8.0)


def test_a_failure_without_retries_left_is_final() -> None:
    end = after_failure(Policy(retries=2), 2, ERROR, MRO, chance=0.0)

    assert end == Failed(ERROR)


def test_a_failure_that_is_not_listed_is_final() -> None:
    end = after_failure(Policy(retries=2, retry_on=("KeyError",)), 0, ERROR, MRO, chance=0.0)

    assert end == Failed(ERROR)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1), GeneratorExit()])
def test_an_exit_raised_by_a_task_is_a_failure_like_any_other(error: BaseException) -> None:
    info, mro = describe_error(error)

    assert isinstance(after_failure(Policy(retries=1), 0, info, mro, chance=0.0), Retried)


@pytest.mark.parametrize(
    ("policy", "crashes_before", "started", "expected"),
    [
        (Policy(), 0, True, Lost(ERROR)),
        (Policy(), 1, True, Lost(ERROR)),
        (Policy(), 2, True, Quarantined(ERROR)),
        (Policy(), 9, True, Quarantined(ERROR)),
        (Policy(max_crashes=1), 0, True, Quarantined(ERROR)),
        (Policy(idempotent=False), 0, True, Quarantined(ERROR)),
        (Policy(idempotent=False), 0, False, Forfeited()),
        (Policy(), 9, False, Forfeited()),
    ],
)
def test_a_loss_ends_the_attempt(
    policy: Policy, crashes_before: int, started: bool, expected: Any
) -> None:
    assert after_loss(policy, crashes_before, ERROR, started=started) == expected


def test_losses_do_not_count_against_retries() -> None:
    ends = [after_loss(Policy(retries=0), crashes, ERROR, started=True) for crashes in (0, 1)]

    assert ends == [Lost(ERROR), Lost(ERROR)]
