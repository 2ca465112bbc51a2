"""Operations are the same on every database: what differs is spelled, or it is the database's."""

from pathlib import Path

import pytest

from lightwork.store import admin, operations

FILES = sorted(file for room in (operations, admin) for file in Path(room.__path__[0]).glob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_operation_asks_for_no_dialect(file: Path) -> None:
    assert "dialect" not in file.read_text()
