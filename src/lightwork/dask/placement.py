"""Placement: on which workers of a Dask cluster the calls of an executor run. Pure.

Of the executor, not of a task: what a task declares means the same at every reach, and elsewhere there are
no Dask workers. Each batch takes the resources as a whole, so with any a batch is one call.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lightwork.errors import UsageError
from lightwork.numeric import as_number


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where calls may run.

    Attributes:
        resources: What each takes of its Dask worker, by name; empty: nothing.
        workers: Addresses, names or hosts of Dask workers; empty: all.
    """

    resources: Mapping[str, float] = field(default_factory=dict)
    workers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, amount in self.resources.items():
            found = as_number(amount)
            if found is None or not found > 0:
                raise UsageError(
                    'resources are names and numbers above 0, such as {"GPU": 1}; '
                    f"seen: {name!r:.100}: {amount!r:.100}"
                )

    def slots(self, known: Mapping[str, Mapping[str, Any]]) -> int:
        """Return how many calls run at once on these workers, as the scheduler tells of them by address."""
        return sum(self._slots_of(address, worker) for address, worker in known.items())

    def _slots_of(self, address: str, worker: Mapping[str, Any]) -> int:
        names = {address, str(worker.get("name")), str(worker.get("host"))}
        if self.workers and names.isdisjoint(self.workers):
            return 0
        has = worker.get("resources", {})
        fit = [int(has.get(name, 0) // amount) for name, amount in self.resources.items()]
        return min([int(worker["nthreads"]), *fit])
