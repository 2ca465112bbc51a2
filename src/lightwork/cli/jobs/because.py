"""Because: why a job does not run now, in words. Pure but for `look_around`: it judges what was read.

What is told is the first thing that would have to change, and whose turn it is then: a queue's (paused,
full), the workers' (none, none that knows the task, no free slot), a limit's, a clock's, another job's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lightwork.model import State
from lightwork.store.contract import Store
from lightwork.store.views import JobView, LimitView, Relatives, Summary, WorkerView
from lightwork.terminal.amounts import show_duration
from lightwork.terminal.output import seconds_since
from lightwork.work.unserved import NOBODY, why_unserved

# Nothing is in its way; said of one job, not of each in a list.
NOT_YET: Final = "its turn has not come: a worker that knows its task claims it with a free slot"
_WAITING: Final = frozenset({State.BLOCKED, State.SCHEDULED, State.READY})


@dataclass(frozen=True, slots=True)
class Around:
    """What is around jobs that wait: the workers that live, and the store at a glance."""

    workers: Sequence[WorkerView]
    summary: Summary


def look_around(store: Store, views: Sequence[JobView]) -> Around | None:
    """Read what is around these jobs; None: none of them waits."""
    if not any(view.state in _WAITING for view in views):
        return None
    return Around(store.workers(), store.summary())


def why_waiting(view: JobView, around: Around, relatives: Relatives | None = None) -> str:
    """Return why a job does not run now; "": it does, or has ended.

    Args:
        view: The job.
        around: Read at about the same time.
        relatives: What it was submitted after; None: nobody has looked.
    """
    match view.state:
        case State.READY:
            return _why_ready(view, around)
        case State.SCHEDULED:
            return _why_scheduled(view, around)
        case State.BLOCKED:
            return _why_blocked(view, relatives)
    return ""


def _why_ready(view: JobView, around: Around) -> str:
    if reason := why_unserved(view.lane, around.workers, around.summary.paused):
        return reason
    limit = around.summary.limits.get(view.queue, 0)
    running = around.summary.queues.get(view.queue, {}).get(State.RUNNING, 0)
    if 0 < limit <= running:
        return f"the limit of the queue {view.queue!r:.200} is full: {running} of {limit} run"
    able = [
        worker
        for worker in around.workers
        if worker.claims and view.queue in worker.queues and worker.knows(view.task)
    ]
    if all(worker.running >= worker.slots for worker in able):
        slots = sum(worker.slots for worker in able)
        what = "the only slot" if slots == 1 else f"all {slots} slots"
        return f"{what} of the workers that know its task {'is' if slots == 1 else 'are'} taken"
    return NOT_YET


def _why_scheduled(view: JobView, around: Around) -> str:
    left = 0.0 if view.due_at is None else -seconds_since(view.due_at)
    if left > 0:
        after = " after an attempt that failed" if view.failures else ""
        return f"it is due in {show_duration(left)}{after}"
    if not any(worker.claims for worker in around.workers):
        return f"it is due, and only workers make what is due ready: {NOBODY}"
    return "it is due: a worker makes it ready within a second"


def _why_blocked(view: JobView, relatives: Relatives | None) -> str:
    if full := [_limit_text(limit) for limit in view.limits if limit.waits]:
        return " and ".join(full)
    if relatives is None or not relatives.parents:
        return "jobs that it was submitted after have not ended"
    left = [one for one in relatives.parents if not one.state.is_final]
    if not left:
        return "what it was submitted after has ended: a worker makes it ready within a second"
    count = len(left) + relatives.parent_count - len(relatives.parents)
    if count == 1:
        return f"job {left[0].id}, which it was submitted after, has not ended"
    at_most = " at most" if relatives.parent_count > len(relatives.parents) else ""
    return f"{count} jobs{at_most} that it was submitted after have not ended"


def _limit_text(limit: LimitView) -> str:
    most = [f"{limit.running} at a time"] if limit.running else []
    if limit.rate:
        most.append(f"{limit.rate:g} begin in a second")
    return f"the limit {limit.key!r:.300} has no room: {', '.join(most)}"
