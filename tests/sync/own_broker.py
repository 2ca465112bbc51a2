"""Fixtures of those tests that need a broker for themselves: its folder, a host, programs that use it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from leftovers import nothing_left_by
from lightwork.sync.broker.shortcuts import ArenaBroker
from lightwork.sync.runtime_folder import VARIABLE
from sync.programs import Program, broker_of, programs


@pytest.fixture(autouse=True)
def leftovers(request: pytest.FixtureRequest) -> Iterator[None]:
    with nothing_left_by(request):
        yield


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "run"
    monkeypatch.setenv(VARIABLE, str(path))
    return path


@pytest.fixture
def host(folder: Path) -> Iterator[ArenaBroker]:
    with broker_of(folder) as broker:
        yield broker


@pytest.fixture
def program(host: ArenaBroker) -> Iterator[Program]:
    with programs(1) as (started,):
        # Then it waits at a socket only for an answer.
        started.do("host.session")
        yield started


@pytest.fixture
def two(host: ArenaBroker) -> Iterator[list[Program]]:
    with programs(2) as started:
        for one in started:
            one.do("host.session")
        yield started
