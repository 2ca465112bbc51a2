"""What is said to reach a Dask cluster, and what is answered where that is wrong."""

import sys

import pytest

import lightwork as lw


@pytest.mark.parametrize("where", ["dask://", "dask://host", "dask://host:port", "dask:many"])
def test_what_is_no_cluster_is_refused(where: str) -> None:
    with pytest.raises(lw.UsageError, match="is no Dask cluster"):
        lw.executor(where)


def test_a_count_is_said_once() -> None:
    with pytest.raises(lw.UsageError, match="say it once"):
        lw.executor("dask:2", max_workers=3)


def test_the_size_of_anothers_cluster_is_not_ours_to_say() -> None:
    with pytest.raises(lw.UsageError, match="has its own"):
        lw.executor("dask://127.0.0.1:1", max_workers=3)


@pytest.mark.parametrize("option", ["output", "logs", "threads"])
def test_an_option_that_makes_no_sense_there_is_refused(option: str) -> None:
    with pytest.raises(lw.UsageError, match=option):
        lw.executor("dask://127.0.0.1:1", **{option: True})


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [one for one in sys.modules if one.startswith("lightwork.dask")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "distributed", None)

    with pytest.raises(lw.UsageError, match=r"lightwork\[dask\]"):
        lw.executor("dask")
