"""Reading: what a call gets from other jobs, as bytes, for a worker that is about to run it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from lightwork.codec.references import references_of
from lightwork.errors import PayloadError, TaskNotFound
from lightwork.model import Attempt, State
from lightwork.store.contract import Store
from lightwork.work.catalog import Catalog
from lightwork.work.inputs.filling import Input, Payload

# Of all results that one call gets. They travel as a whole, and so does the call.
MOST_BYTES: Final = 64 * 1024 * 1024


def with_inputs(store: Store, catalog: Catalog, attempt: Attempt) -> Attempt:
    """Return the attempt with what its call gets from other jobs, mostly nothing, in its payload.

    Raises:
        PayloadError: It cannot get that.
        StoreUnavailable: Not now.
    """
    references = references_of(attempt.payload)
    if references is None:
        return attempt
    ids = [subject.job_id for subject in references.jobs]
    size = store.results_size(ids)
    if size > MOST_BYTES:
        raise PayloadError(
            f"the results that this call gets from {len(ids)} jobs have {size} bytes, and "
            f"{MOST_BYTES} are the most; store large data elsewhere and return where it is"
        )
    found = store.outcomes(ids)
    for job_id in ids:
        outcome = found.get(job_id)
        if outcome is None or (references.needs_success and outcome.state != State.SUCCEEDED):
            raise PayloadError(
                f"this call gets the result of job {job_id}, which has none any more: it was pruned "
                "or is run again; retry this job when that one has succeeded"
            )
    payload = Payload(attempt.payload)
    payload.inputs = tuple(
        Input(found[subject.job_id], subject.task, _function(catalog, subject.task))
        for subject in references.jobs
    )
    return replace(attempt, payload=payload)


def _function(catalog: Catalog, name: str) -> Callable[..., Any] | None:
    try:
        return catalog.find(name).fn
    except TaskNotFound:
        return None
