"""What a call changes of its process is undone before the next one."""

import os
from pathlib import Path
from typing import Any

import child_calls
import pytest
from child_calls import Found, change_all, change_all_and_fail, change_then_look, go, look

from lightwork.pool.process.executor import ProcessExecutor

pytestmark = pytest.mark.process

WAIT = 60


@pytest.mark.parametrize("change", [change_all, change_all_and_fail])
def test_the_next_call_finds_the_process_as_it_was(
    single: ProcessExecutor, tmp_path: Path, change: Any
) -> None:
    before = single.submit(look).result(WAIT)

    single.submit(change, str(tmp_path)).exception(WAIT)

    assert single.submit(look).result(WAIT) == before


@pytest.mark.parametrize("chunksize", [1, "auto"])
def test_the_next_item_of_a_map_does_too(
    single: ProcessExecutor, tmp_path: Path, chunksize: Any
) -> None:
    before = single.submit(look).result(WAIT)
    items = [(str(tmp_path), number % 2 == 0) for number in range(100)]

    found = single.map(change_then_look, items, chunksize=chunksize)

    assert {state for state in found if isinstance(state, Found)} == {before}


def test_what_the_initializer_changes_stays(tmp_path: Path) -> None:
    with ProcessExecutor(1, initializer=go, initargs=(str(tmp_path),)) as pool:
        pool.submit(change_all, "/").result(WAIT)

        assert pool.submit(look).result(WAIT).folder == str(tmp_path)


def test_a_folder_that_is_gone_costs_no_call(single: ProcessExecutor, tmp_path: Path) -> None:
    """Each call goes from a folder that exists into one that it then removes."""
    before = single.submit(look).result(WAIT)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        single.submit(child_calls.go_where_none_is_left, str(tmp_path / name)).result(WAIT)

    assert single.submit(look).result(WAIT) == before


def test_the_functions_that_were_replaced_still_travel(single: ProcessExecutor) -> None:
    assert single.submit(os.umask, 0o022).result(WAIT) == single.submit(look).result(WAIT).umask
    assert single.submit(same, os.chdir).result(WAIT) is os.chdir


def same(thing: object) -> object:
    return thing
