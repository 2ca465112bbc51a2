"""Batch: what a child or a worker is given: some calls of a `Parallel`, as one.

A worker of a store that is to run them imports this file: `lightwork worker URL
-m lightwork.contrib.joblib.batch`. It knows joblib only by what it is given.
"""

from collections.abc import Callable
from typing import Any

from lightwork.contrib.joblib.sharing import resolve
from lightwork.tasks.task import task


@task
def run_batch(batch: Callable[[], list[Any]]) -> list[Any]:
    """Return the results of the calls, in their order; the first that raises ends the batch."""
    return batch()


def run_shared_batch(batch: Callable[[], list[Any]]) -> list[Any]:
    """Do the same where some of their arguments stand for shared arrays."""
    resolve(batch)
    return batch()
