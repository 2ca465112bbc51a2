"""Numbers of jobs and loads as GNU parallel has them typed."""

import pytest

from lightwork.errors import UsageError
from lightwork.parallel.settings import parse_jobs, parse_load


@pytest.mark.parametrize(
    ("text", "jobs"),
    [("8", 8), ("0", 0), ("50%", 2), ("200%", 8), ("1%", 1), ("+2", 6), ("-1", 3), ("-9", 1),
     ("-50%", 2), ("12.5%", 1)],
)  # fmt: skip
def test_jobs_are_counted_from_the_cpus(text: str, jobs: int) -> None:
    assert parse_jobs(text, 4) == jobs


@pytest.mark.parametrize("text", ["x", "1.5", "%", "1025", "99999%", "--1", "1 2", "٣"])
def test_what_is_no_number_of_jobs_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="-j "):
        parse_jobs(text, 4)


@pytest.mark.parametrize(("text", "load"), [("", 0), ("3", 3), ("150%", 6), ("0", 0.01)])
def test_loads_are_counted_from_the_cpus(text: str, load: float) -> None:
    assert parse_load(text, 4) == load
