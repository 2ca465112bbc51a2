"""Fresh: what `--fresh` does: remove the store's file, if that harms nobody else."""

import contextlib
import time
from pathlib import Path
from typing import Final

from sqlalchemy import NullPool, create_engine, func, select
from sqlalchemy.orm import Session

from lightwork.clock import monotonic
from lightwork.demo.tasks import measure
from lightwork.demo.workers import LEASE
from lightwork.errors import StoreError, UsageError
from lightwork.net.opening import open_store
from lightwork.store.opening import kind_of
from lightwork.store.orm import Job

DEFAULT_URL: Final = "sqlite:///lightwork-demo.db"
_PAUSE: Final = 0.05


def remove_file(url: str) -> None:
    """Remove the store's file and what lies beside it, if it is there.

    Raises:
        UsageError: It holds other jobs, somebody works on it, or it is not a file.
        StoreError: It is not a store.
    """
    files = kind_of(url).files_of(url)
    if not files:
        raise UsageError("--fresh removes a file, and this store is none; use another database")
    if not files[0].exists():
        return
    is_default = files == kind_of(DEFAULT_URL).files_of(DEFAULT_URL)
    # The demo's own file may be of an older or newer make, or damaged.
    with contextlib.suppress(*([StoreError] if is_default else [])):
        _check_is_ours(url, files[0])
    for file in files:
        file.unlink(missing_ok=True)


def _check_is_ours(url: str, path: Path) -> None:
    others = select(func.count()).where(Job.task != measure.name)
    # As a store first, which says in words if it is none.
    with contextlib.closing(open_store(url, create=False)) as store:
        with Session(create_engine(url, poolclass=NullPool)) as session:
            if count := session.scalar(others):
                raise UsageError(
                    f"--fresh would remove {path}, but it holds {count:,} jobs that are not the "
                    "demo's; nothing was removed. Use another file: --url sqlite:///NAME.db"
                )
        deadline = monotonic() + LEASE + 1
        while workers := store.workers():
            if monotonic() >= deadline:
                names = ", ".join(f"{worker.name} (pid {worker.pid})" for worker in workers)
                raise UsageError(
                    f"--fresh would remove {path}, but there are workers on it: {names}; "
                    "nothing was removed. End the demo that runs there, then try again"
                )
            time.sleep(_PAUSE)
