"""A store whose file is lost while futures wait: they end, and say so."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from face.jobs import square
from lightwork.durable.executor import DurableExecutor
from lightwork.errors import StoreError, StoreUnavailable


def delete(path: Path) -> None:
    path.unlink()


def replace(path: Path) -> None:
    shutil.copy(path, path.with_name("copy.db"))
    path.with_name("copy.db").replace(path)


def delete_wal(path: Path) -> None:
    path.with_name(f"{path.name}-wal").unlink()


@pytest.mark.parametrize("lose", [delete, replace, delete_wal])
def test_futures_of_a_store_that_is_lost_end_with_its_error(
    kept: DurableExecutor, tmp_path: Path, lose: Callable[[Path], None]
) -> None:
    futures = kept.submit_many(square, [(1,), (2,)])

    lose(tmp_path / "work.db")

    for future in futures:
        with pytest.raises(StoreError, match="lost with this process") as raised:
            future.result(30)
        assert not isinstance(raised.value, StoreUnavailable)
