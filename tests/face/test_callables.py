"""A durable executor refuses what cannot be called in the words of all others."""

from pathlib import Path

import pytest

import lightwork as lw


def test_what_cannot_be_called_is_refused_before_a_task_is_asked_for(tmp_path: Path) -> None:
    with lw.executor(f"sqlite:///{tmp_path}/work.db") as ex:
        with pytest.raises(lw.UsageError, match="submit expects a function"):
            ex.submit(3)  # type: ignore[call-overload]
        with pytest.raises(lw.UsageError, match="a durable executor expects a function"):
            ex.map(3, [1])  # type: ignore[call-overload]
