"""Health: what is wrong with a store, in words. Pure: it judges what was read.

Only what needs a person: work that nobody does. What is wrong with stored data
is the business of `lightwork db check`.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from lightwork.model import State
from lightwork.store.views import Summary, WorkerView
from lightwork.work.unserved import PATIENCE, say_unserved, why_unserved

# A ready job may wait so long behind others of higher priority, but not beside free slots.
LONGEST_WAIT: Final = 60.0
_MOST_LANES: Final = 12


def problems(
    summary: Summary,
    workers: Sequence[WorkerView],
    *,
    next_due_in: float | None,
    url: str,
) -> list[str]:
    """Return what is wrong, a sentence each; empty: healthy.

    Args:
        summary: The store at a glance.
        workers: All that it knows, dead ones included.
        next_due_in: Seconds until the earliest scheduled job is due; None: there is none.
        url: The store, as a command line would name it.
    """
    return [
        *_idle_problems(summary, next_due_in, url),
        *_queue_problems(summary, workers, url),
        *_task_problems(summary, workers, url),
        *_wait_problems(summary, workers),
        *_loss_problems(workers),
    ]


def _idle_problems(summary: Summary, next_due_in: float | None, url: str) -> Iterator[str]:
    if summary.live_workers:
        return
    ready, start = summary.states[State.READY], f"start one: lightwork worker {url} -m MODULE"
    if ready:
        yield f"{_jobs(ready)} ready, but no worker is alive; {start}"
    elif next_due_in == 0:
        # Only workers make what is due ready.
        yield f"scheduled jobs are due, but no worker is alive; {start}"


def _queue_problems(summary: Summary, workers: Sequence[WorkerView], url: str) -> Iterator[str]:
    served = {queue for worker in workers if worker.is_live for queue in worker.queues}
    if not served:
        return
    for queue, states in summary.queues.items():
        ready = states.get(State.READY, 0)
        if ready and queue not in served:
            yield (
                f"{_jobs(ready)} ready in queue {queue!r}, which no live worker serves; "
                f"start one: lightwork worker {url} -m MODULE -q {queue}"
            )


def _task_problems(summary: Summary, workers: Sequence[WorkerView], url: str) -> Iterator[str]:
    served = {queue for worker in workers if worker.is_live for queue in worker.queues}
    found = [
        say_unserved(view.lane, view.ready, reason, url)
        for view in summary.lanes
        # Those above have told of queues that nobody serves.
        if view.queue in served
        and view.waited > PATIENCE
        and (reason := why_unserved(view.lane, workers))
    ]
    yield from found[:_MOST_LANES]
    if len(found) > _MOST_LANES:
        yield f"so do jobs of {len(found) - _MOST_LANES} more tasks that no live worker knows"


def _wait_problems(summary: Summary, workers: Sequence[WorkerView]) -> Iterator[str]:
    free = summary.slots - summary.running
    # What nobody knows may wait for long; that is told above.
    known = [view.waited for view in summary.lanes if not why_unserved(view.lane, workers)]
    oldest = min(summary.oldest_ready, max(known, default=0.0))
    if summary.live_workers and free > 0 and oldest > LONGEST_WAIT:
        yield (
            f"the oldest ready job has waited {oldest:.0f} s beside "
            f"{free} free slots; look at the logs of the workers"
        )


def _loss_problems(workers: Sequence[WorkerView]) -> Iterator[str]:
    for worker in workers:
        if worker.running and not worker.is_live:
            yield (
                f"worker {worker.name} stopped renewing its lease and holds "
                f"{worker.running} running jobs; any live worker will take them over"
            )


def _jobs(count: int) -> str:
    return "1 job is" if count == 1 else f"{count} jobs are"
