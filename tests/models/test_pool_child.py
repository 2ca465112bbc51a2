"""Every interleaving of a pool and its children: nothing is lost, blamed wrongly, or hangs.

How many states each model has says how much is explored; a change of the protocol may
change the number, a fall to a few is a mistake of the model.
"""

import pytest
from pool_child import PoolAndChildren

from explore import explore

SHORT = 100
# A child may keep one of them, and not two.
LARGE = 20_000

MODELS = {
    "calls and no trouble": PoolAndChildren((SHORT,) * 3),
    "large answers behind a call that waits for them": PoolAndChildren(
        (LARGE, LARGE, SHORT), long=frozenset({3})
    ),
    "a death": PoolAndChildren((SHORT,) * 3, kills=1),
    "a cancel": PoolAndChildren((SHORT,) * 3, cancels=1),
    "an end": PoolAndChildren((SHORT,) * 3, closes=1),
    "a death, a cancel and an end": PoolAndChildren((SHORT,) * 2, kills=1, cancels=1, closes=1),
    "deaths of an only child": PoolAndChildren((SHORT,) * 3, children=1, kills=2, closes=1),
}


@pytest.mark.parametrize("name", MODELS)
def test_every_future_ends_and_no_call_is_lost_or_blamed_wrongly(name: str) -> None:
    explored = explore(MODELS[name])

    assert explored.wrong is None, explored.wrong.told()
    assert explored.is_whole
    assert explored.states > 1000


def test_the_explorer_finds_the_child_that_slept_on_its_answers() -> None:
    before = PoolAndChildren((LARGE,) * 3, sleeps_on_a_look=True, keeps_a_whole_ring=True)

    wrong = explore(before).wrong

    assert wrong is not None
    assert wrong.what == "no way leads to an end from here"
    # It sleeps, more unsent than can be peeked at, and its calls are pending.
    assert any(
        child.does == "reads" and len(child.kept) == 2 and len(child.calls) == 2
        for child in wrong.state.children
    )


def test_the_explorer_finds_answers_that_stay_behind_a_long_call() -> None:
    before = PoolAndChildren((LARGE, LARGE, SHORT), long=frozenset({3}), keeps_a_whole_ring=True)

    wrong = explore(before).wrong

    assert wrong is not None
    assert wrong.what == "no way leads to an end from here"
    assert any(len(child.kept) == 2 for child in wrong.state.children)


def test_the_explorer_finds_a_call_that_is_blamed_and_never_began() -> None:
    wrong = explore(PoolAndChildren((SHORT,) * 2, kills=1, blames_what_it_took=True)).wrong

    assert wrong is not None
    assert "is blamed and never began" in wrong.what
