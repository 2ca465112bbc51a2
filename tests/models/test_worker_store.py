"""Workers and store: every order of every step, deaths and lost answers at each."""

import pytest
from worker_store import ONCE, PLAIN, POISON, Bugs, Kind, WorkerAndStore

from explore import explore


@pytest.mark.parametrize(
    "kinds",
    [(ONCE, POISON), (POISON, ONCE), (PLAIN, POISON), (POISON, PLAIN), (PLAIN, ONCE)],
    ids=lambda kinds: " ".join(kind.name for kind in kinds),
)
def test_every_job_ends_once_and_only_what_has_begun_is_blamed(kinds: tuple[Kind, ...]) -> None:
    explored = explore(WorkerAndStore(kinds))

    assert explored.wrong is None, explored.wrong.told()
    assert explored.is_whole


def test_a_cancel_at_any_moment_ends_its_job() -> None:
    explored = explore(WorkerAndStore((PLAIN, ONCE), cancels=1))

    assert explored.wrong is None, explored.wrong.told()
    assert explored.is_whole


@pytest.mark.parametrize(
    ("bugs", "kinds", "what"),
    [
        (Bugs(blames_claimed=True), (PLAIN, POISON), "it is blamed, and had not begun"),
        (Bugs(claims_once_ahead=True), (POISON, ONCE), "it is blamed, and had not begun"),
        (Bugs(guards_no_number=True), (PLAIN, ONCE), "an earlier attempt has ended a later one"),
        (Bugs(forgets_answers=True), (PLAIN, ONCE), "no way leads to an end from here"),
    ],
    ids=lambda value: str(value) if isinstance(value, Bugs) else "",
)
def test_a_known_mistake_is_found(bugs: Bugs, kinds: tuple[Kind, ...], what: str) -> None:
    explored = explore(WorkerAndStore(kinds, bugs))

    assert explored.wrong is not None
    assert what in explored.wrong.what


def test_without_suspicion_a_job_that_takes_its_workers_down_never_ends() -> None:
    model = WorkerAndStore(
        (POISON,), Bugs(knows_no_suspects=True), deaths=0, lost_answers=0, hand_backs=0, workers=1
    )

    explored = explore(model)

    assert explored.wrong is not None
    assert explored.wrong.what == "no way leads to an end from here"
