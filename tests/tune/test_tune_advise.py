"""What is said about figures, and what is recommended."""

from dataclasses import replace

import pytest
from made_up import inline, measured, row

from lightwork.tune.advise import Limit, advise
from lightwork.tune.figures import INLINE, LeftOut, Measurements, Pickling, Setup

GIL_BOUND = measured(
    inline(),
    row("threads:2", 1.01),
    row("threads:4", 0.98),
    row("processes:1", 0.97),
    row("processes:2", 1.95, busy=2.0),
    row("processes:4", 3.8, busy=4.0),
    gil=0.98,
)
RELEASES = measured(
    inline(), row("threads:2", 1.9), row("threads:4", 3.7), row("processes:4", 3.6), gil=0.02
)
WAITS = measured(
    inline(0.01, busy=0.03),
    row("threads:4", 3.9, item=0.01, busy=0.1),
    row("threads:32", 30.0, item=0.01, busy=0.9),
    row("processes:4", 3.5, item=0.01, busy=0.1),
)
TRAVELS = measured(
    inline(0.002),
    row("threads:4", 1.0),
    row("processes:1", 0.4),
    row("processes:4", 0.9),
    gil=0.9,
    pickling=Pickling(argument_bytes=5, result_bytes=8_000_000, seconds=0.003),
)
TINY = measured(
    inline(4e-6),
    row("threads:2", 0.8),
    row("processes:2", 1.7, item=4e-6),
    row("processes:2", 0.13, item=4e-6, chunksize=1),
    gil=0.95,
    items=10_000_000,
    cpus=2,
)
MEMORY_BOUND = measured(
    inline(),
    row("threads:4", 1.3),
    row("processes:1", 0.98, busy=1.0),
    row("processes:2", 1.5, busy=2.0),
    row("processes:4", 1.6, busy=4.0),
)
FEW_ITEMS = replace(GIL_BOUND, items=20)
OWN_THREADS = measured(inline(busy=3.6), row("threads:4", 1.1), row("processes:4", 1.1))
CROWDED = measured(
    inline(waited=0.5, busy=0.5), row("threads:2", 1.0), row("processes:2", 1.0, waited=0.6)
)
CANNOT_TRAVEL = replace(
    measured(inline(), row("threads:4", 1.0), gil=0.95),
    pickling=Pickling(problem="a result cannot be pickled: TypeError: no"),
)


@pytest.mark.parametrize(
    ("found", "limit", "proof"),
    [
        (GIL_BOUND, "gil", "held 98 % of the time and threads:2 give 1.0x"),
        (WAITS, "waiting", "works 3 % of the time; threads:32 wait for 32 at once: 30.0x"),
        (TRAVELS, "pickling", "costs 60 % of the time: 3.00 ms to pickle and load 5 bytes"),
        (TINY, "too small", "only 4.00 µs of work; one by one processes:2 takes 30.8 µs"),
        (MEMORY_BOUND, "memory", "processes:4 (1.6x); at processes:4 4.0 CPUs are busy"),
        (OWN_THREADS, "own threads", "3.6 CPUs busy by itself"),
        (CROWDED, "crowded", "processes:2 had no CPU for 60 % of the time"),
        (CANNOT_TRAVEL, "unpicklable", "a result cannot be pickled: TypeError"),
        (RELEASES, "nothing", "threads:4 give 3.7x on 4 CPUs"),
    ],
)
def test_what_matters_most_is_said_first_with_its_proof(
    found: Measurements, limit: Limit, proof: str
) -> None:
    advice = advise(found)

    assert advice.findings[0].limit == limit
    assert proof in advice.findings[0].text


@pytest.mark.parametrize(
    ("found", "setup"),
    [
        (GIL_BOUND, Setup("processes", 4)),
        (RELEASES, Setup("threads", 4)),
        (WAITS, Setup("threads", 32)),
        (TRAVELS, INLINE),
        (TINY, Setup("processes", 2)),
        (MEMORY_BOUND, Setup("processes", 2)),
        (FEW_ITEMS, INLINE),
        (CROWDED, INLINE),
        (CANNOT_TRAVEL, INLINE),
    ],
)
def test_the_simplest_of_the_fastest_is_recommended(found: Measurements, setup: Setup) -> None:
    advice = advise(found)

    assert advice.setup == setup


def test_the_recommendation_is_a_line_of_code_with_its_gain_and_spread() -> None:
    advice = advise(GIL_BOUND)

    assert advice.code == ('lw.executor("processes:4")  # chunksize="auto": 3.8x (3.7x to 3.9x)')


def test_few_items_are_told_how_many_would_pay() -> None:
    found = replace(GIL_BOUND, items=30)

    texts = {finding.limit: finding.text for finding in advise(found).findings}

    assert "the 30 items of the input take 30.0 ms" in texts["start-up"]
    assert "it pays from 60 items on" in texts["start-up"]


def test_the_break_even_is_where_the_recommendation_changes() -> None:
    least = advise(replace(GIL_BOUND, items=30)).break_even

    below, at = (advise(replace(GIL_BOUND, items=items)) for items in (least - 1, least))

    assert (below.setup, at.setup) == (INLINE, Setup("processes", 4))
    assert (below.break_even, at.break_even) == (least, least)
    assert below.pays == at.pays == Setup("processes", 4)


@pytest.mark.parametrize(
    "found", [GIL_BOUND, RELEASES, WAITS, TRAVELS, TINY, MEMORY_BOUND, CROWDED]
)
@pytest.mark.parametrize("items", [1, 2, 10, 60, 1000, 10**7])
def test_the_break_even_agrees_with_the_recommendation(found: Measurements, items: int) -> None:
    advice = advise(replace(found, items=items))

    is_pool = advice.setup != INLINE
    assert is_pool == (0 < advice.break_even <= items)
    assert not is_pool or advice.pays == advice.setup


def test_a_loop_for_few_items_does_not_say_that_no_pool_was_faster() -> None:
    assert (
        advise(FEW_ITEMS).code
        == 'lw.executor("inline")  # or a plain loop: too few items for a pool'
    )
    assert advise(TRAVELS).code == 'lw.executor("inline")  # or a plain loop: no pool was faster'


def test_threads_are_not_recommended_against_the_gil() -> None:
    # What a busy machine makes of threads that wait for one lock.
    found = measured(inline(), row("threads:2", 1.6), row("processes:2", 1.0), gil=1.0)

    advice = advise(found)

    assert (advice.setup, advice.pays) == (INLINE, INLINE)
    assert "threads:2 give 1.6x, which is the noise of this machine" in advice.findings[0].text


def test_one_event_loop_is_recommended_for_coroutines_that_wait() -> None:
    found = replace(
        measured(inline(0.01, busy=0.03), row("threads:1", 60.0, item=0.01, busy=0.5)),
        is_async=True,
    )

    advice = advise(found)

    assert (
        advice.code
        == 'lw.executor("threads:1")  # async_calls=100 at a time: 60.0x (58.8x to 61.2x)'
    )
    assert "one event loop waits for many at once: 60.0x" in advice.findings[0].text
    assert advice.notes == ()


def test_the_start_of_a_first_pool_is_what_a_program_pays() -> None:
    found = replace(GIL_BOUND, items=120, cold_start=0.3)

    warm, cold = advise(replace(found, cold_start=0.0)), advise(found)

    assert warm.setup.kind == "processes"
    assert cold.setup == INLINE


def test_many_items_do_not_mind_the_start() -> None:
    limits = [finding.limit for finding in advise(GIL_BOUND).findings]

    assert "start-up" not in limits


def test_fixed_chunks_are_recommended_only_beyond_doubt() -> None:
    auto, close = row("processes:4", 2.0), row("processes:4", 2.1, chunksize=100)
    better = row("processes:4", 3.5, chunksize=100)

    kept = advise(measured(inline(), auto, close))
    changed = advise(measured(inline(), auto, better))

    assert kept.setup.chunksize == "auto"
    assert changed.setup.chunksize == 100
    assert "chunksize=100" in changed.code


def test_a_gain_that_half_of_the_runs_do_not_have_is_none() -> None:
    shaky = row("processes:4", 1.3, spread=0.6)

    advice = advise(measured(inline(), shaky))

    assert advice.setup == INLINE
    assert any("differ by more than half" in note for note in advice.notes)


def test_more_workers_than_items_are_not_counted_on() -> None:
    advice = advise(replace(WAITS, items=4))

    assert advice.setup == Setup("threads", 4)


def test_a_setup_that_failed_is_named_with_its_reason() -> None:
    left = LeftOut(Setup("processes", 2), "WorkerLost: it died", has_failed=True)

    advice = advise(replace(RELEASES, left_out=(left,)))

    assert advice.findings[0].limit == "failed"
    assert "processes:2 failed: WorkerLost: it died" in advice.findings[0].text


def test_a_setup_without_time_is_a_note_only() -> None:
    left = LeftOut(Setup("processes", 2), "no time was left")

    advice = advise(replace(RELEASES, left_out=(left,)))

    assert advice.findings[0].limit == "nothing"
    assert any("processes:2" in note for note in advice.notes)


def test_nothing_measured_is_no_advice() -> None:
    found = Measurements(function="a:b", items=1, cpus=1, is_complete=False)

    advice = advise(found)

    assert advice.findings[0].limit == "unknown"
    assert "no pool was measured" in advice.code


def test_threads_that_gain_are_not_held_back_by_the_gil() -> None:
    found = measured(inline(), row("threads:4", 1.8), gil=0.6)

    limits = [finding.limit for finding in advise(found).findings]

    assert "gil" not in limits


def test_a_slow_first_call_is_mentioned() -> None:
    advice = advise(measured(inline(), row("processes:4", 3.0), first=0.5))

    assert any("very first call took 500 ms" in note for note in advice.notes)


@pytest.mark.parametrize("found", [GIL_BOUND, WAITS, TRAVELS, TINY])
def test_a_quiet_machine_is_not_called_crowded(found: Measurements) -> None:
    limits = [finding.limit for finding in advise(found).findings]

    assert "crowded" not in limits
