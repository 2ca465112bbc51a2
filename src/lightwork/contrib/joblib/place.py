"""Place: where the calls of a `Parallel` run, in joblib's words: how many jobs, which executor."""

import sys
from collections.abc import Mapping
from typing import Any, Final

import joblib

from lightwork.contrib.joblib.batch import run_batch, run_shared_batch
from lightwork.contrib.joblib.kept import IDLE_SECONDS, KEPT
from lightwork.contrib.joblib.sharing import SharedArrays
from lightwork.errors import UsageError
from lightwork.executors import executor
from lightwork.pool.call.future import Future
from lightwork.pool.executor.executor import Executor
from lightwork.pool.open_pool import parse_where

# What joblib hands to whatever runs its calls: about arrays, which are shared in another way, and
# about what the user prefers, which was decided before.
_OF_JOBLIB: Final = frozenset({"max_nbytes", "temp_folder", "mmap_mode", "context", "verbose"})


class Place:
    """Where calls run.

    Args:
        where: Words or a URL for `lightwork.executor`, or an executor of the user's, which
            stays his to shut down.
        options: For `lightwork.executor`.

    Raises:
        UsageError: They mean nothing, or an executor has its options already.
    """

    def __init__(self, where: str | Executor | None, options: Mapping[str, Any]) -> None:
        self._where = "processes" if where is None else where
        self._options = dict(options)
        if isinstance(self._where, Executor):
            if options:
                raise UsageError(
                    f"{', '.join(options)}: options of an executor that is open; say them where it "
                    "is opened"
                )
            self.kind, self._most = "", getattr(self._where, "_max_workers", 0)
        elif "://" in self._where or self._where.partition(":")[0] == "dask":
            self.kind, self._most = "", 0
        else:
            self.kind, count = parse_where(self._where)
            self._most = 1 if self.kind == "inline" else count or 0

    def count_jobs(self, n_jobs: int | None) -> int:
        """Return how many batches run at a time if the user says `n_jobs`, as joblib means it.

        Of all that there are, -1 means as many, -2 one less.

        Raises:
            ValueError: It is 0.
        """
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if n_jobs is None:
            return 1
        most = self._most or int(joblib.cpu_count())
        if n_jobs < 0:
            return max(most + 1 + n_jobs, 1)
        return min(n_jobs, most) if self._most else n_jobs

    def open(self, n_jobs: int, env: Mapping[str, str], options: Mapping[str, Any]) -> "Opened":
        """Return an executor for so many batches at a time.

        Args:
            n_jobs: As counted.
            env: Variables for children.
            options: More, of one `Parallel`; those that are joblib's own are left out.
        """
        if isinstance(self._where, Executor):
            return Opened(self._where)
        known = {name: value for name, value in options.items() if name not in _OF_JOBLIB}
        all_options = {**self._options, **known}
        if self.kind != "processes":
            where = f"{self.kind}:{n_jobs}" if self.kind not in {"", "inline"} else self._where
            return Opened(executor(where, **all_options), is_ours=True)
        all_options = {"idle_timeout": IDLE_SECONDS, "blas_threads": None} | all_options
        all_options |= {"max_workers": n_jobs, "env": {**env, **all_options.get("env", {})}}
        # Children that were started before the program had any of multiprocessing's managers do
        # not know the key to them.
        shape = (all_options, "multiprocessing.managers" in sys.modules)
        made = KEPT.take(shape, lambda: executor("processes", **all_options))
        least = options.get("max_nbytes") if options.get("mmap_mode") == "r" else None
        shared = None if least is None else SharedArrays(made.put, least)
        return Opened(made, is_ours=True, shape=shape, shared=shared)


class Opened:
    """An executor for one `Parallel`, and what becomes of it afterwards."""

    def __init__(
        self,
        executor: Executor,
        *,
        is_ours: bool = False,
        shape: object = None,
        shared: SharedArrays | None = None,
    ) -> None:
        self.executor = executor
        self._shared = shared
        self._is_ours = is_ours
        self._shape = shape

    def start(self, batch: Any) -> Future[list[Any]]:
        """Submit a batch of calls."""
        is_shared = self._shared is not None and self._shared.swap(batch)
        return self.executor.submit(run_shared_batch if is_shared else run_batch, batch)

    def close(self, *, is_broken: bool) -> None:
        """Keep it for the next, or end it, unless it is the user's."""
        if not self._is_ours:
            return
        if self._shape is not None and not is_broken:
            KEPT.give_back(self._shape, self.executor)
        else:
            self.executor.shutdown(wait=False, cancel_futures=True)
