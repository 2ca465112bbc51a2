"""Tags find jobs, and headers travel with them to whoever runs them."""

import asyncio
from typing import Any

import pytest

import lightwork as lw
from face.jobs import square
from lightwork.durable.executor import DurableExecutor


@lw.task
def trace() -> dict[str, str]:
    """Return what it was submitted with."""
    return dict(lw.current().headers)


@lw.task
async def trace_async() -> dict[str, str]:
    """Do the same in an event loop."""
    await asyncio.sleep(0)
    return dict(lw.current().headers)


@pytest.mark.parametrize("task", [trace, trace_async], ids=["def", "async"])
def test_headers_are_seen_by_the_job(url: str, task: lw.Task[..., Any]) -> None:
    with DurableExecutor(url, workers="threads:2") as executor:
        sent = {"traceparent": '00-"4b"', "über": ""}

        future = executor.submit(task.options(headers=sent))

        assert future.result(60) == sent
        assert executor.submit(task).result(60) == {}
        (_, job) = executor.store.jobs()
        assert job.headers == sent


def test_jobs_are_found_by_their_tags(kept: DurableExecutor) -> None:
    first = kept.submit(lw.call(square, tags=["import", "night", "import"]), 1)
    kept.submit(lw.call(square, tags=("night",)), 2)
    kept.submit(square, 3)

    assert len(kept.store.jobs(tag="night")) == 2
    assert [job.id for job in kept.store.jobs(tag="import")] == [first.job_id]  # type: ignore[attr-defined]
    assert kept.store.jobs(tag="day") == []


@pytest.mark.parametrize(
    "options",
    [
        {"tags": "import"},
        {"tags": [7]},
        {"tags": [""]},
        {"tags": ["x" * 101]},
        {"tags": ["a\0b"]},
        {"tags": [str(number) for number in range(21)]},
        {"headers": ["a"]},
        {"headers": {"a": 1}},
        {"headers": {1: "a"}},
        {"headers": {"a": "\ud800"}},
        {"headers": {"a": "x" * 4000}},
        {"headers": {"a": '"' * 2100}},
    ],
)
def test_what_cannot_be_kept_is_refused_before_anything_is(
    kept: DurableExecutor, options: dict[str, Any]
) -> None:
    with pytest.raises(lw.UsageError, match=r"tag|header"):
        kept.submit(lw.call(square, **options), 1)

    assert kept.store.jobs() == []
