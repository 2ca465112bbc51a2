"""Middleware of an executor with workers: it runs in the child, where the task runs."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lightwork as lw
from face.jobs import invert, square


@contextlib.contextmanager
def leave_a_file(attempt: Any, task: Any) -> Iterator[None]:
    try:
        yield
    except ZeroDivisionError:
        Path(os.environ["MIDDLEWARE"], "failed").write_text(str(os.getpid()))
        raise
    Path(os.environ["MIDDLEWARE"], "done").write_text(str(os.getpid()))


def test_it_runs_in_the_child_and_sees_the_outcome(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIDDLEWARE", str(tmp_path))
    with lw.executor(url, workers=1, middleware=[leave_a_file]) as executor:
        assert executor.submit(square, 3).result(60) == 9
        with pytest.raises(lw.JobFailed):
            executor.submit(invert, 0).result(60)

    children = {(tmp_path / name).read_text() for name in ("done", "failed")}
    assert len(children) == 1
    assert str(os.getpid()) not in children


def test_without_workers_it_is_refused(url: str) -> None:
    with pytest.raises(lw.UsageError, match="middleware: options of a worker"):
        lw.executor(url, workers=0, middleware=[leave_a_file])
