"""What a child has held while one attempt ran, and when nobody can tell."""

import subprocess
import sys
from collections.abc import Iterator

import peak_calls
import pytest

from lightwork.pool.process.executor import ProcessExecutor

pytestmark = pytest.mark.process

WAIT = 30
MIB = 1 << 20


@pytest.fixture
def pool() -> Iterator[ProcessExecutor]:
    with ProcessExecutor(1) as executor:
        yield executor


def test_each_attempt_has_its_own_peak(pool: ProcessExecutor) -> None:
    large, small = pool.submit(peak_calls.peaks_of, [200 * MIB, 1]).result(WAIT)

    assert large is not None
    assert small is not None
    assert small + 150 * MIB < large < small + 250 * MIB


def test_where_the_kernel_does_not_forget_only_growth_is_known(pool: ProcessExecutor) -> None:
    peaks = pool.submit(peak_calls.peaks_without_forgetting, [50 * MIB, 1, 200 * MIB]).result(WAIT)

    assert [peak is not None for peak in peaks] == [True, False, True]


def test_a_program_that_was_waited_for_counts(pool: ProcessExecutor) -> None:
    peak = pool.submit(peak_calls.peak_with_program, 200 * MIB).result(WAIT)

    assert peak is not None
    assert peak > 200 * MIB


def test_less_than_a_program_of_an_earlier_attempt_is_not_known(pool: ProcessExecutor) -> None:
    pool.submit(peak_calls.peak_with_program, 200 * MIB).result(WAIT)

    assert pool.submit(peak_calls.peaks_of, [1]).result(WAIT) == [None]


def test_attempts_of_one_millisecond_share_theirs(pool: ProcessExecutor) -> None:
    first, second = pool.submit(peak_calls.peaks_at_one_instant, [100 * MIB, 1]).result(WAIT)

    assert first == second


def test_outside_of_attempts_it_is_not_known(pool: ProcessExecutor) -> None:
    assert pool.submit(peak_calls.peak_outside).result(WAIT) == (None, None)


def test_outside_of_children_nothing_is_asked() -> None:
    code = (
        "from lightwork.pool.child import peak_memory as p; p.begin(0.0); print(p.peak()); p.end()"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stdout == "None\n"
