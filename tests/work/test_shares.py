"""Shares: in the long run each queue gets its weight, in the short run nobody starves."""

from collections import Counter

import pytest

from lightwork.errors import UsageError
from lightwork.work.incarnation import WorkerSettings
from lightwork.work.lanes import Shares


def claimed(shares: Shares, ready: list[str], claims: int, jobs: int = 1) -> Counter[str]:
    """Claim so often, so many jobs from whoever comes first; return how many each queue gave."""
    counts: Counter[str] = Counter()
    for _ in range(claims):
        (first, *_rest) = shares.order(ready)
        shares.note(first, jobs)
        counts[first] += jobs
    return counts


@pytest.mark.parametrize("jobs", [1, 7, 100])
def test_each_queue_gets_its_weight(jobs: int) -> None:
    shares = Shares({"critical": 5, "default": 1, "bulk": 0.5})

    counts = claimed(shares, ["critical", "default", "bulk"], 1300, jobs)

    assert counts["critical"] == pytest.approx(1000 * jobs, abs=2 * jobs)
    assert counts["default"] == pytest.approx(200 * jobs, abs=2 * jobs)
    assert counts["bulk"] == pytest.approx(100 * jobs, abs=2 * jobs)


def test_no_queue_waits_longer_than_its_share_says() -> None:
    shares = Shares({"critical": 50, "default": 1})
    gaps, gap = [], 0

    for _ in range(1020):
        first = shares.order(["critical", "default"])[0]
        shares.note(first)
        gap = 0 if first == "default" else gap + 1
        gaps.append(gap)

    assert max(gaps) <= 51


def test_a_turn_is_short_however_many_could_be_claimed_at_once() -> None:
    shares = Shares({"critical": 5, "bulk": 1})
    counts: Counter[str] = Counter()
    unfair = 0.0

    for _ in range(100):
        first = shares.order(["critical", "bulk"])[0]
        jobs = min(1000, shares.most)
        shares.note(first, jobs)
        counts[first] += jobs
        unfair = max(unfair, abs(counts["critical"] - 5 * counts["bulk"]))

    assert unfair <= 51
    shares.order(["critical"])
    assert shares.most > 1000


def test_a_queue_that_was_empty_has_saved_up_nothing() -> None:
    shares = Shares({"a": 1, "b": 1})
    claimed(shares, ["a"], 1000)

    counts = claimed(shares, ["a", "b"], 10)

    assert counts == {"a": 5, "b": 5}


def test_a_queue_that_was_busy_alone_owes_nothing() -> None:
    shares = Shares({"a": 1, "b": 1})
    claimed(shares, ["a"], 1000)
    claimed(shares, ["b"], 10)

    assert claimed(shares, ["a", "b"], 10)["b"] <= 10


def test_only_queues_with_jobs_are_in_the_order() -> None:
    shares = Shares({"a": 5, "b": 1, "c": 1})

    assert shares.order(["c", "a"]) == ["a", "c"]


@pytest.mark.parametrize("weight", [0, -1, float("nan"), float("inf"), "5", None])
def test_a_weight_that_makes_no_sense_is_refused(weight: object) -> None:
    with pytest.raises(UsageError, match="weight of queue 'a'"):
        WorkerSettings(queues=("a",), weights={"a": weight})  # type: ignore[dict-item]
