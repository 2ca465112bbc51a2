"""Families: what lightwork tells Prometheus, from what was read of a store. Pure.

Counters and histograms come from the roll-ups (approximate, and never falling), depths are
counted up to a bound, and no label holds a job's id or what an error says.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from lightwork.cli.metrics.exposition import Family, Sample
from lightwork.store.histogram import LAST_BUCKET, upper_bound
from lightwork.store.views import DepthView, Rollup, WorkerView

# Every second bucket, so each bound is four times the one before.
_STEP: Final = 2
_HISTOGRAMS: Final = {
    "run": ("lightwork_job_run_seconds", "How long attempts ran, in the process of the task."),
    "wait": (
        "lightwork_job_wait_seconds",
        "How long jobs were due, or ready, before a worker claimed them.",
    ),
}


def families(
    totals: Iterable[Rollup],
    depths: Sequence[DepthView],
    workers: Sequence[WorkerView],
    *,
    most: int,
) -> Iterator[Family]:
    """Yield what there is to tell.

    Args:
        totals: What has ever happened.
        depths: What waits and runs.
        workers: Those that live.
        most: Up to where depths were counted.
    """
    rollups = list(totals)
    yield _ends(rollups)
    for measure, (name, text) in _HISTOGRAMS.items():
        found = [one for one in rollups if one.measure == measure]
        yield Family(name, "histogram", text, list(_histogram(found)))
    yield from _depths(depths, most)
    yield Family(
        "lightwork_queue_paused",
        "gauge",
        "1 for a queue that is paused, else 0.",
        [Sample({"queue": depth.queue}, int(depth.is_paused)) for depth in depths],
    )
    yield from _workers(workers)


def _ends(rollups: Iterable[Rollup]) -> Family:
    samples = [
        Sample({"queue": one.queue, "task": one.task, "outcome": one.measure}, one.jobs)
        for one in rollups
        if one.measure not in _HISTOGRAMS
    ]
    text = "Ends of attempts: succeeded, failed and cancelled end a job, the others do not."
    return Family("lightwork_jobs_total", "counter", text, samples)


def _histogram(rollups: Iterable[Rollup]) -> Iterator[Sample]:
    lanes: defaultdict[tuple[str, str], list[Rollup]] = defaultdict(list)
    for one in rollups:
        lanes[one.queue, one.task].append(one)
    for (queue, task), found in sorted(lanes.items()):
        labels = {"queue": queue, "task": task}
        for bucket in range(0, LAST_BUCKET, _STEP):
            bound = {"le": f"{upper_bound(bucket):g}"}
            jobs = sum(one.jobs for one in found if one.bucket <= bucket)
            yield Sample(labels | bound, jobs, "_bucket")
        jobs = sum(one.jobs for one in found)
        yield Sample(labels | {"le": "+Inf"}, jobs, "_bucket")
        yield Sample(labels, sum(one.total_ms for one in found) / 1000, "_sum")
        yield Sample(labels, jobs, "_count")


def _depths(depths: Sequence[DepthView], most: int) -> Iterator[Family]:
    yield Family(
        "lightwork_queue_jobs",
        "gauge",
        f"Unfinished jobs of a queue, counted up to {most + 1}.",
        [
            Sample({"queue": depth.queue, "state": str(state)}, jobs)
            for depth in depths
            for state, jobs in depth.jobs.items()
        ],
    )
    yield Family(
        "lightwork_queue_oldest_seconds",
        "gauge",
        "How long the ready job waits that is next; of the tasks of the queue the longest.",
        [Sample({"queue": depth.queue}, depth.waited) for depth in depths],
    )


def _workers(workers: Sequence[WorkerView]) -> Iterator[Family]:
    slots = [
        Sample({"worker": worker.name, "id": str(worker.id), "state": state}, count)
        for worker in workers
        for state, count in (
            ("busy", min(worker.running, worker.slots)),
            ("free", max(worker.slots - worker.running, 0)),
        )
    ]
    yield Family("lightwork_worker_slots", "gauge", "Calls that live workers run at a time.", slots)
    yield Family("lightwork_workers", "gauge", "Live workers.", [Sample({}, len(workers))])
