"""Waiting: yields the outcomes of jobs as they come."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final
from uuid import UUID

from lightwork.clock import monotonic
from lightwork.durable.outcome_watch import job_not_found
from lightwork.durable.waits.no_worker import Patience
from lightwork.model import JobOutcome
from lightwork.store.contract import Store
from lightwork.terminal.output import note
from lightwork.work.unserved import PATIENCE

# Between two looks when nothing seems to change.
_LOOK_SECONDS: Final = 1.0


def wait_for_ends(
    store: Store,
    job_ids: Sequence[UUID],
    *,
    timeout: float = float("inf"),
    on_look: Callable[[Sequence[UUID]], None] = lambda _: None,
    tell: Callable[[str], None] = note,
    told: Iterable[str] = (),
) -> Iterator[JobOutcome]:
    """Yield each job's outcome once it is recorded.

    Args:
        store: Where the jobs are.
        job_ids: Each once.
        timeout: Seconds to wait for all of them.
        on_look: Called before each wait with those that have not ended.
        tell: Told after a while why nobody runs the first of them; each reason once.
        told: Reasons that were told already.

    Raises:
        JobNotFound: The store has no such job, or no longer.
        TimeoutError: The time is up.
    """
    deadline, patient_until = monotonic() + timeout, monotonic() + PATIENCE
    patience = Patience(store, told=told)
    waiting = list(job_ids)
    while True:
        seen = store.changes()
        outcomes = store.outcomes(waiting)
        yield from (outcomes[job_id] for job_id in waiting if job_id in outcomes)
        waiting = [job_id for job_id in waiting if job_id not in outcomes]
        if not waiting:
            return
        refuse_unknown(store, waiting)
        if monotonic() >= patient_until and (text := patience.news(waiting[0])):
            tell(text)
        on_look(waiting)
        left = deadline - monotonic()
        if left <= 0:
            raise TimeoutError(f"{len(waiting)} of {len(job_ids)} jobs have not ended in time")
        store.wait_for_change(seen, min(left, _LOOK_SECONDS))


def refuse_unknown(store: Store, job_ids: Sequence[UUID]) -> None:
    """Raise unless the store knows all of these.

    Raises:
        JobNotFound: It does not.
    """
    known = store.states(job_ids)
    unknown = [str(job_id) for job_id in job_ids if job_id not in known]
    if unknown:
        raise job_not_found(", ".join(unknown), store.safe_url)
