"""A kill after each statement of each operation, and before each commit: all of it or nothing.

What is in the store after a step that was killed is what was there before, or what is there after it
when nobody disturbs; after one that was acknowledged it is the latter. What is left goes
on: every job that is there gets one outcome.

`make chaos` tries every boundary; here it is each twelfth of all steps' boundaries, from a random one on.
"""

import base64
import os
import pickle
import random
import subprocess
import sys
import uuid
from collections.abc import Iterator

import pytest

from chaos import boundaries
from chaos.boundaries import TASK, Life
from chaos.conftest import everywhere
from lightwork.lifecycle import Succeeded
from lightwork.model import Lane
from lightwork.store.sqlstore import SqlStore
from store.steps import execute, registered

pytestmark = [pytest.mark.chaos, pytest.mark.process]

# State and counters by job.
Seen = dict[uuid.UUID, tuple[object, ...]]
# So many deaths later what they have left is brought to its end.
GROUP = 20
EVERY = int(os.environ.get("LIGHTWORK_CHAOS_EVERY", "12"))


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    with SqlStore(url) as opened:
        yield opened


class Victims:
    """The program that does one step, as often as it is told, and dies of it."""

    def __init__(self, url: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, boundaries.__file__, url],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def is_killed(self, fatal: int, step: int, life: Life) -> bool:
        """Have the step done; False: it came to its end before that boundary."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        held = base64.b64encode(pickle.dumps(life.held)).decode()
        print(fatal, step, life.queue, held, file=self._process.stdin, flush=True)
        status = int(self._process.stdout.readline())
        assert status in {0, -9}
        return status != 0

    def close(self) -> None:
        _, _ = self._process.communicate(timeout=60)
        assert self._process.returncode == 0


def look(store: SqlStore, queue: str) -> Seen:
    """Return what the store says of the jobs of a life, by their places in it."""
    return {
        view.id: (
            view.state,
            view.attempt,
            view.failures,
            view.crashes,
            view.losses,
            view.has_begun,
            view.cancel_requested,
        )
        for view in store.jobs(queue=queue)
    }


def by_place(life: Life, seen: Seen) -> list[tuple[object, ...] | None]:
    return [seen.get(job_id) for job_id in life.ids]


def new_life(store: SqlStore) -> Life:
    return Life(store, uuid.uuid4().hex, {})


def finish(store: SqlStore, left: dict[str, Seen]) -> None:
    """Do what comes after deaths: rescue, and run what is left."""
    assert store.check() == []
    execute(store, "UPDATE worker SET lease_until = 1")
    execute(store, "UPDATE scheduled SET due_at = 1")
    store.rescue()
    store.promote()
    worker = registered(store)
    lanes = [Lane(queue, TASK) for queue in left]
    while claimed := store.claim(worker, lanes=lanes, limit=1, ahead=50):
        assert store.ack(worker, [(one, Succeeded(b"late")) for one in claimed]) == []
    store.sign_off(worker)
    for queue, seen in left.items():
        ended = look(store, queue)
        # A later life prunes what had ended.
        lost = [job_id for job_id in seen.keys() - ended.keys() if not seen[job_id][0].is_final]  # type: ignore[attr-defined]
        assert (lost, ended.keys() - seen.keys()) == ([], set())
        assert all(one[0].is_final for one in ended.values())  # type: ignore[attr-defined]
        # Attempts only grow.
        assert all(one[1] >= seen[job_id][1] for job_id, one in ended.items())  # type: ignore[operator]
    assert store.check() == []
    left.clear()


@everywhere
@pytest.mark.parametrize("first", [random.randrange(EVERY)])
def test_a_death_at_any_boundary_leaves_what_was_before_the_step_or_after(
    store: SqlStore, first: int
) -> None:
    life = new_life(store)
    expected = [by_place(life, {})]
    steps = len(life.steps())
    for step in range(steps):
        life.do(step)
        expected.append(by_place(life, look(store, life.queue)))
    victims = Victims(store.url)
    left: dict[str, Seen] = {}
    deaths, fatal = 0, first

    for step in range(steps):
        is_killed = True
        while is_killed:
            fatal += 1
            life = new_life(store)
            for before in range(step):
                life.do(before)
            is_killed = victims.is_killed(fatal, step, life)

            seen = left[life.queue] = look(store, life.queue)
            allowed = expected[step : step + 2] if is_killed else [expected[step + 1]]
            assert by_place(life, seen) in allowed, f"boundary {fatal} of step {step}"
            deaths += is_killed
            if len(left) == GROUP:
                finish(store, left)
            fatal += EVERY - 1
        # The one beyond the last of this step is the first of the next, and so on.
        fatal = (fatal + first + step) % EVERY
    finish(store, left)
    victims.close()

    print(f"{store.url.partition(':')[0]}: {deaths} boundaries of {steps} steps")
    assert deaths > 3 * steps / EVERY
