"""Anew: what `--fresh` does: make room for a run from the start, harming nobody else.

A SQLite file is removed, if it is the demo's own or holds nothing else. On another
store nothing is removed: the jobs of the new run get the next number in their key.
"""

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from time import sleep
from typing import Final
from uuid import UUID

from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import Session

from lightwork.cli.demo.attached import LEASE
from lightwork.cli.demo.tasks import measure
from lightwork.clock import monotonic
from lightwork.codec import Codec
from lightwork.errors import StoreError, UsageError
from lightwork.store.contract import Store
from lightwork.store.engine import sqlite_path
from lightwork.store.reading import Job
from lightwork.store.sqlstore import open_store
from lightwork.work.ids import keyed_job_id

DEFAULT_URL: Final = "sqlite:///lightwork-demo.db"
# What SQLite and the store keep beside the file.
_BESIDE: Final = ("", "-wal", "-shm", "-journal", "-lock")
_PAUSE: Final = 0.05


def key_of(number: int) -> str:
    """Return the key of the jobs of the n-th fresh run on a store."""
    return f"demo {number} {sys.version.split()[0]}"


def latest_number(store: Store, first: Path) -> int:
    """Return the number of the latest run that submitted a job for this file; 1: none."""
    number = 1
    while store.states([_job_id(number + 1, first)]):
        number += 1
    return number


def next_number(store: Store, first: Path) -> int:
    """Return a number that no run has used."""
    latest = latest_number(store, first)
    return latest + bool(store.states([_job_id(latest, first)]))


def is_file(url: str) -> bool:
    """Whether the store is a file that can be removed."""
    return url.startswith("sqlite")


def remove_file(url: str) -> None:
    """Remove the store's file and what lies beside it.

    Raises:
        UsageError: It holds other jobs, or somebody works on it.
        StoreError: It is not a store.
    """
    path = sqlite_path(url)
    if not path.exists():
        return
    is_default = path == sqlite_path(DEFAULT_URL)
    # The demo's own file may be of an older or newer make, or damaged.
    with contextlib.suppress(*([StoreError] if is_default else [])):
        _check_is_ours(url, path)
    for ending in _BESIDE:
        path.with_name(path.name + ending).unlink(missing_ok=True)


def _check_is_ours(url: str, path: Path) -> None:
    store = open_store(url, create=False)
    try:
        others = _count_others(url)
        if others:
            raise UsageError(
                f"--fresh would remove {path}, but it holds {others:,} jobs that are not the "
                "demo's; nothing was removed. Use another file: --url sqlite:///NAME.db"
            )
        if not _wait_until(lambda: not store.workers(), LEASE + 1):
            names = ", ".join(f"{worker.name} (pid {worker.pid})" for worker in store.workers())
            raise UsageError(
                f"--fresh would remove {path}, but there are workers on it: {names}; "
                "nothing was removed. End the demo that runs there, then try again"
            )
    finally:
        store.close()


def _count_others(url: str) -> int:
    engine = create_engine(url)
    try:
        with Session(engine) as session:
            counted = select(func.count()).select_from(Job).where(Job.task != measure.name)
            return session.scalar(counted) or 0
    finally:
        engine.dispose()


def _wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = monotonic() + seconds
    while not condition():
        if monotonic() >= deadline:
            return False
        sleep(_PAUSE)
    return True


def _job_id(number: int, file: Path) -> UUID:
    digest = Codec().payload_digest((str(file),), {}, fn=measure.fn)
    return keyed_job_id(key_of(number), measure.name, digest, 1)
