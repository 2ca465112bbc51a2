"""Service: how signals reach a worker that a program runs."""

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightwork.events.kinds import WorkerStopped
from lightwork.work.service import Worker, _signal_pipe


@pytest.fixture
def unfrozen() -> Iterator[None]:
    """Let the collector look at all again, as in any program; conftest.py has it pass over much."""
    gc.unfreeze()
    yield
    gc.freeze()


def test_a_full_pipe_of_signals_loses_no_more_than_words() -> None:
    with _signal_pipe(ignored_later=False) as (events, tell):
        for _ in range(1 << 17):
            tell(signal.SIGTERM)

        assert set(os.read(events, 1 << 17)) == {int(signal.SIGTERM)}


@pytest.mark.usefixtures("unfrozen")
def test_the_collector_passes_over_what_was_imported_while_a_worker_is_the_program(
    tmp_path: Path,
) -> None:
    worker = Worker(f"sqlite:///{tmp_path / 'work.db'}", executor="threads:1", burst=True)
    seen: list[int] = []
    worker.on(WorkerStopped, lambda _: seen.append(gc.get_freeze_count()))

    worker.run()

    assert seen[0] > 10_000
    assert gc.get_freeze_count() == 0
