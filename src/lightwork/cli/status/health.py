"""Health: what is wrong with a store, in words. Pure: it judges what was read.

Only what needs a person: work that nobody does. What is wrong with stored data
is the business of `lightwork db check`.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

from lightwork.model import State
from lightwork.store.views import NOT_POLLING, ScheduleView, Summary, WorkerView
from lightwork.tasks.names import short_name
from lightwork.work.unserved import PATIENCE, say_unserved, why_unserved

# A ready job may wait so long behind others of higher priority, but not beside free slots.
LONGEST_WAIT: Final = 60.0
_MOST_LANES: Final = 12
_MOST_NAMES: Final = 5
# Characters of a name in a sentence.
_SHOWN: Final = 200


def problems(
    summary: Summary, workers: Sequence[WorkerView], *, next_due_in: float | None, url: str
) -> list[str]:
    """Return what is wrong, a sentence each; empty: healthy.

    Args:
        summary: The store at a glance.
        workers: All that it knows, dead ones included.
        next_due_in: Seconds until the earliest scheduled job or schedule is due; None: none is.
        url: The store, as a command line would name it.
    """
    return [
        *_idle_problems(summary, workers, next_due_in, url),
        *_queue_problems(summary, workers, url),
        *_task_problems(summary, workers, url),
        *_wait_problems(summary, workers),
        *_poll_problems(workers),
        *_loss_problems(workers),
    ]


def schedule_problems(schedules: Iterable[ScheduleView]) -> Iterator[str]:
    """Yield what is wrong with schedules, a sentence each.

    Told here although the workers may be better off: of a missing time zone each machine has its
    own truth, and a job that never comes is seen by nobody.
    """
    for view in schedules:
        name = short_name(view.name)[:_SHOWN]
        if view.paused_at is not None:
            continue
        if view.problem:
            yield f"schedule {name} cannot be read here: {view.problem}"
        elif view.next_at is not None and _late(view, view.next_at) > LONGEST_WAIT:
            yield (
                f"schedule {name} is due since {view.next_at:%Y-%m-%d %H:%M:%S} UTC and no worker has made "
                "its job; look at the logs of the workers"
            )


def _late(view: ScheduleView, at: datetime) -> float:
    return (view.read_at - at).total_seconds()


def _idle_problems(
    summary: Summary, workers: Sequence[WorkerView], next_due_in: float | None, url: str
) -> Iterator[str]:
    if any(worker.claims for worker in workers):
        return
    why = "every live worker is draining" if summary.live_workers else "no worker is alive"
    ready, start = _ready(summary), f"start one: lightwork worker {url} -m MODULE"
    if ready:
        yield f"{_jobs(ready)} ready, but {why}; {start}"
    elif next_due_in == 0:
        # Only workers make what is due ready.
        yield f"scheduled jobs or schedules are due, but {why}; {start}"


def _queue_problems(summary: Summary, workers: Sequence[WorkerView], url: str) -> Iterator[str]:
    served = {queue for worker in workers if worker.claims for queue in worker.queues}
    if not served:
        return
    for queue, states in summary.queues.items():
        ready = states.get(State.READY, 0)
        if ready and queue not in served and queue not in summary.paused:
            yield (
                f"{_jobs(ready)} ready in queue {queue!r}, which no live worker serves; "
                f"start one: lightwork worker {url} -m MODULE -q {queue}"
            )


def _task_problems(summary: Summary, workers: Sequence[WorkerView], url: str) -> Iterator[str]:
    served = {queue for worker in workers if worker.claims for queue in worker.queues}
    found = [
        say_unserved(view.lane, view.ready, reason, url)
        for view in summary.lanes
        # Those above have told of queues that nobody serves.
        if view.queue in served
        and view.queue not in summary.paused
        and view.waited > PATIENCE
        and (reason := why_unserved(view.lane, workers))
    ]
    yield from found[:_MOST_LANES]
    if len(found) > _MOST_LANES:
        yield f"so do jobs of {len(found) - _MOST_LANES} more tasks that no live worker knows"


def _wait_problems(summary: Summary, workers: Sequence[WorkerView]) -> Iterator[str]:
    free = summary.slots - summary.running
    # What nobody knows may wait for long; that is told above. So may what its queue's limit holds back.
    known = [
        view.waited
        for view in summary.lanes
        if view.queue not in summary.limits and not why_unserved(view.lane, workers, summary.paused)
    ]
    oldest = min(summary.oldest_ready, max(known, default=0.0))
    idle = [
        worker.name
        for worker in workers
        # What does not poll is told below.
        if worker.claims and worker.state != NOT_POLLING and worker.running < worker.slots
    ]
    if idle and free > 0 and oldest > LONGEST_WAIT:
        yield (
            f"the oldest ready job has waited {oldest:.0f} s beside {free} free slots: "
            f"{', '.join(idle[:_MOST_NAMES])} {'lives' if len(idle) == 1 else 'live'} and "
            f"{'does' if len(idle) == 1 else 'do'} not claim; look at the log, or start anew"
        )


def _poll_problems(workers: Sequence[WorkerView]) -> Iterator[str]:
    """Yield what only a server knows: whose heartbeats come, and nothing else."""
    silent = [worker.name for worker in workers if worker.is_live and worker.state == NOT_POLLING]
    if silent:
        more = f" and {len(silent) - _MOST_NAMES} more" if len(silent) > _MOST_NAMES else ""
        yield (
            f"{', '.join(silent[:_MOST_NAMES])}{more} {'lives' if len(silent) == 1 else 'live'} and "
            f"{'does' if len(silent) == 1 else 'do'} not poll: heartbeats come, and nobody asks for work; "
            "look at the log, or start anew"
        )


def _loss_problems(workers: Sequence[WorkerView]) -> Iterator[str]:
    for worker in workers:
        if worker.running and not worker.is_live:
            yield (
                f"worker {worker.name} stopped renewing its lease and holds "
                f"{worker.running} running jobs; any live worker will take them over"
            )


def _ready(summary: Summary) -> int:
    """Return how many jobs are ready in queues that nobody has paused."""
    return sum(view.ready for view in summary.lanes if view.queue not in summary.paused)


def _jobs(count: int) -> str:
    return "1 job is" if count == 1 else f"{count} jobs are"
