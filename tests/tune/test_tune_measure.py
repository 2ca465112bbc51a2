"""Real functions on real pools: what is found, not how fast."""

import pytest

from lightwork.tune.advise import Limit, advise
from lightwork.tune.figures import INLINE, Measurements
from lightwork.tune.measure import Measuring
from lightwork.tune.target import RaisedOnInput, load_target

pytestmark = pytest.mark.process


def measure(function: str, lines: list[str], seconds: float = 1.5) -> Measurements:
    target = load_target(f"tuned:{function}", lines, is_args=False)
    return Measuring(target, seconds=seconds, cpus=2, tell=lambda _: None).run()


def limits(found: Measurements) -> list[Limit]:
    return [finding.limit for finding in advise(found).findings]


def test_pure_python_is_held_back_by_the_gil() -> None:
    found = measure("compute", ["20000"] * 50)

    assert "gil" in limits(found), found
    assert "waiting" not in limits(found), found


def test_sleeping_is_waiting() -> None:
    found = measure("wait", ["0.005"] * 1000)

    assert limits(found)[0] == "waiting"
    assert advise(found).setup.kind == "threads"


def test_tiny_items_are_too_small() -> None:
    found = measure("add_one", [str(n) for n in range(1000)])

    assert "too small" in limits(found)
    assert "pickling" not in limits(found)


def test_big_results_are_held_back_by_pickling() -> None:
    found = measure("make_bytes", ["4000000"] * 20)

    assert "pickling" in limits(found)
    assert "too small" not in limits(found)
    assert found.pickling is not None
    assert found.pickling.result_bytes >= 4_000_000


def test_what_cannot_be_pickled_leaves_processes_out() -> None:
    found = measure("make_lock", ["1", "2"], seconds=3)

    assert limits(found)[0] == "unpicklable"
    assert not [row for row in found.rows if row.setup.kind == "processes"]
    assert found.row(INLINE) is not None


def test_all_kinds_are_measured_against_inline() -> None:
    found = measure("add_one", ["1"] * 10, seconds=3)

    assert {row.setup.kind for row in found.rows} == {"inline", "threads", "processes"}
    inline = found.row(INLINE)
    assert inline is not None
    assert inline.speedup == 1.0


def test_children_are_looked_at() -> None:
    found = measure("compute", ["20000"] * 50, seconds=3)

    children = [row for row in found.rows if row.setup.kind == "processes"]
    assert children
    assert all(row.memory > 100_000 and row.start > 0 for row in children)


def test_a_function_that_fails_in_children_only_is_left_out_there() -> None:
    found = measure("raise_in_child", ["7", "7"])

    [failed] = [left for left in found.left_out if left.has_failed][:1]
    assert failed.setup.kind == "processes"
    assert "LookupError: only here, on line" in failed.reason
    assert limits(found)[0] == "failed"


def test_a_child_that_dies_is_left_out() -> None:
    found = measure("die_in_child", ["7", "7"], seconds=3)

    [failed] = [left for left in found.left_out if left.has_failed][:1]
    assert "WorkerLost" in failed.reason
    assert found.row(INLINE) is not None


def test_a_function_that_raises_inline_names_the_line() -> None:
    with pytest.raises(RaisedOnInput, match="ValueError on line 42 of the input") as raised:
        measure("raise_at_42", [str(n) for n in range(1, 101)])

    assert raised.value.line == 42
    assert isinstance(raised.value.__cause__, ValueError)


def test_before_anything_is_measured_nothing_is_found() -> None:
    target = load_target("tuned:add_one", ["1"], is_args=False)

    found = Measuring(target, seconds=1, cpus=2, tell=lambda _: None).found()

    assert found.rows == ()
    assert not found.is_complete
