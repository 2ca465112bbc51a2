"""docs/leases.md does what it says: its program runs, and refuses who comes late."""

import re
import sqlite3
from pathlib import Path

import pytest

import lightwork as lw
from sync.faces.conftest import close_stored

PAGE = Path(__file__).parents[3] / "docs" / "leases.md"


def test_the_page_shows_how_a_token_keeps_a_row_safe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (program,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    shown: dict[str, object] = {}

    try:
        exec(program, shown)
        lock, write, database = shown["lock"], shown["write"], shown["database"]
        assert isinstance(lock, lw.Lock)
        assert callable(write)
        assert isinstance(database, sqlite3.Connection)
        late = lock.token
        write(50, late + 1)
        with pytest.raises(RuntimeError, match=f"since token {late}"):
            write(0, late)
        rows = database.execute("SELECT balance, token FROM account").fetchall()
        database.close()
    finally:
        close_stored()

    assert rows == [(50, late + 1)]
