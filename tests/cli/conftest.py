"""A folder with a script and a store, and the command line in it."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.jobs_made import Made
from cli.runs import SCRIPT
from lightwork.cli.main import cli
from lightwork.store.contract import Store
from lightwork.store.sqlstore import open_store

Invoke = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "script.py").write_text(SCRIPT)
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith(("LIGHTWORK", "FORCE_COLOR")):
            monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    # What the command line uses when it is told nothing.
    opened = open_store(f"sqlite:///{folder}/lightwork.db")
    yield opened
    opened.close()


@pytest.fixture
def made(store: Store) -> Made:
    return Made(store)


@pytest.fixture
def lightwork(folder: Path) -> Invoke:
    """Run a verb in this process; an unforeseen exception fails the test."""

    def invoke(*words: object) -> Result:
        return CliRunner().invoke(
            cli, list(map(str, words)), prog_name="lightwork", catch_exceptions=False
        )

    return invoke
