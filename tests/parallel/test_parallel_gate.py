"""When a job may be started, decided without a clock and without a machine."""

import pytest

from lightwork.parallel.gate import LOOK_SECONDS, Gate, GateRules, Machine, look

IDLE = Machine(running=0, free=1000)


def gate(machine: Machine = IDLE, **rules: float) -> Gate:
    return Gate(GateRules(**rules), lambda: machine)  # type: ignore[arg-type]  # sizes are whole


def test_without_rules_a_job_may_start_at_any_time() -> None:
    assert gate().seconds_left(0.0) == 0


def test_a_delay_is_counted_from_the_start_before() -> None:
    found = gate(delay=2.0)
    found.note_start(10.0)

    assert [found.seconds_left(now) for now in (10.0, 11.5, 12.0)] == [2.0, 0.5, 0]


def test_the_first_job_is_not_delayed() -> None:
    assert gate(delay=2.0).seconds_left(0.0) == 0


@pytest.mark.parametrize(
    ("running", "free", "is_held"),
    [(2, 1000, False), (3, 1000, True), (0, 499, True), (0, 500, False)],
)
def test_a_busy_machine_holds_jobs_back(running: int, free: int, is_held: bool) -> None:
    found = gate(Machine(running=running, free=free), load=3, memfree=500)

    assert found.seconds_left(0.0) == (LOOK_SECONDS if is_held else 0)


def test_what_was_just_started_gets_time_to_show_in_the_figures() -> None:
    found = gate(load=3)
    found.note_start(10.0)

    assert found.seconds_left(10.0) == pytest.approx(LOOK_SECONDS)


@pytest.mark.parametrize(("free", "is_starved"), [(249, True), (250, False)])
def test_less_than_half_of_the_memory_is_too_little(free: int, is_starved: bool) -> None:
    assert gate(Machine(running=0, free=free), memfree=500).is_starved() is is_starved


def test_nobody_starves_who_asked_for_no_memory() -> None:
    assert gate(Machine(running=0, free=0), load=1).is_starved() is False


def test_this_machine_can_be_looked_at() -> None:
    found = look()

    assert found.running >= 0
    assert found.free > 0
