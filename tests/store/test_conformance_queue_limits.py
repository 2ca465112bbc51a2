"""What every store promises, on every database: how many jobs of a queue run at once."""

import threading
import uuid
from collections import Counter
from collections.abc import Callable

import pytest

from lightwork.errors import UsageError
from lightwork.lifecycle import Succeeded
from lightwork.model import Attempt, Lane, Limit, NewJob, State
from lightwork.net.opening import open_store
from lightwork.store.contract import Store
from store.steps import (
    LANES,
    end_lease,
    execute,
    new_job,
    registered,
    rescue_from,
    scalar,
)

THREADS = 6
MAIL = Lane("mail", "jobs:work")


def submitted(store: Store, count: int, *, queue: str = "default", task: str = "jobs:work") -> None:
    store.submit([new_job(queue=queue, task=task) for _ in range(count)])


def claimed(store: Store, worker: uuid.UUID, *, limit: int = 10, ahead: int = 0) -> list[Attempt]:
    return store.claim(worker, lanes=LANES, limit=limit, ahead=ahead)


def end(store: Store, worker: uuid.UUID, attempts: list[Attempt]) -> None:
    store.ack(worker, [(attempt, Succeeded(b"")) for attempt in attempts])


def test_no_more_jobs_of_a_queue_run_than_its_limit_says(store: Store) -> None:
    submitted(store, 5)
    assert store.limit_queue("default", 2) is True
    worker, other = registered(store), registered(store)

    first = claimed(store, worker, limit=1)
    second = claimed(store, other)

    assert (len(first), len(second)) == (1, 1)
    assert claimed(store, worker) == claimed(store, other) == []
    end(store, worker, first)
    assert len(claimed(store, other)) == 1
    assert store.check() == []


def test_a_full_queue_has_no_lanes_and_its_jobs_stay_ready(store: Store) -> None:
    submitted(store, 3)
    store.limit_queue("default", 1)
    worker = registered(store)
    first = claimed(store, worker)

    assert store.lanes(["default"]) == []
    assert store.summary().states[State.READY] == 2
    end(store, worker, first)
    assert store.lanes(["default"]) == LANES


def test_jobs_that_run_when_a_limit_is_set_count(store: Store) -> None:
    submitted(store, 6)
    worker = registered(store)
    before = claimed(store, worker, limit=3)

    store.limit_queue("default", 2)

    assert claimed(store, worker) == []
    end(store, worker, before[:2])
    assert len(claimed(store, worker)) == 1
    end(store, worker, before[2:])
    assert len(claimed(store, worker)) == 1


def test_a_limit_is_raised_lowered_and_taken_away(store: Store) -> None:
    submitted(store, 20)
    worker = registered(store)
    store.limit_queue("default", 1)
    first = claimed(store, worker)

    assert store.limit_queue("default", 3) is True
    assert store.limit_queue("default", 3) is False
    first += claimed(store, worker)
    assert len(first) == 3
    store.limit_queue("default", 2)
    end(store, worker, first[:1])
    assert claimed(store, worker) == []
    assert store.limit_queue("default", 0) is True
    assert len(claimed(store, worker)) == 10
    assert store.limit_queue("default", 0) is False
    assert scalar(store, "SELECT count(*) FROM limit_use") == 0


def test_a_limit_holds_over_all_lanes_of_a_queue(store: Store) -> None:
    submitted(store, 3)
    submitted(store, 3, task="mail:send")
    store.limit_queue("default", 2)
    worker = registered(store)

    lanes = [*LANES, Lane("default", "mail:send")]

    assert len(store.claim(worker, lanes=lanes, limit=10)) == 2
    assert store.claim(worker, lanes=lanes, limit=10) == []


def test_other_queues_go_on_when_one_is_full(store: Store) -> None:
    submitted(store, 5)
    submitted(store, 5, queue="mail")
    store.limit_queue("default", 1)
    worker = registered(store)

    attempts = store.claim(worker, lanes=[*LANES, MAIL], limit=3, ahead=1)

    assert Counter(one.policy.queue for one in attempts) == {"default": 1, "mail": 3}


def test_two_queues_with_limits_are_claimed_from_in_any_order(store: Store) -> None:
    for queue in ("default", "mail"):
        submitted(store, 5, queue=queue)
        store.limit_queue(queue, 2)
    worker, other = registered(store), registered(store)

    first = store.claim(worker, lanes=[MAIL, *LANES], limit=3)
    second = store.claim(other, lanes=[*LANES, MAIL], limit=3)

    queues = [one.policy.queue for one in (*first, *second)]
    assert queues == ["mail", "mail", "default", "default"]


def test_jobs_of_a_queue_with_a_limit_are_never_claimed_ahead(store: Store) -> None:
    submitted(store, 5)
    store.limit_queue("default", 4)

    assert len(claimed(store, registered(store), limit=1, ahead=10)) == 1


def test_the_first_in_order_gets_the_room(store: Store) -> None:
    submitted(store, 3)
    urgent = new_job(priority=9)
    store.submit([urgent])
    store.limit_queue("default", 1)

    (attempt,) = claimed(store, registered(store))

    assert attempt.job_id == urgent.id


def test_jobs_with_limits_of_their_own_keep_to_both(store: Store) -> None:
    made = [new_job() for _ in range(6)]
    limit = (Limit("a", running=2),)
    store.submit(
        [
            NewJob(id=job.id, task=job.task, payload=b"", policy=job.policy, limits=limit)
            for job in made
        ]
    )
    store.limit_queue("default", 3)
    submitted(store, 6)
    worker = registered(store)

    first = claimed(store, worker)

    assert len(first) == 3
    assert len({job.id for job in made} & {one.job_id for one in first}) == 2
    end(store, worker, first)
    assert len(claimed(store, worker)) == 3
    assert store.check() == []


@pytest.mark.parametrize(
    "act",
    [rescue_from, Store.sign_off, lambda store, who: store.release_others(who, held=[])],
    ids=["rescue", "sign off", "release"],
)
def test_what_a_worker_leaves_gives_its_room_back(
    store: Store, act: Callable[[Store, uuid.UUID], object]
) -> None:
    submitted(store, 5)
    store.limit_queue("default", 2)
    worker, other = registered(store), registered(store)
    claimed(store, worker)

    act(store, worker) if act is not Store.sign_off else store.sign_off(worker)

    assert len(claimed(store, other)) == 2
    assert claimed(store, other) == []


def test_who_claims_again_what_it_ran_before_counts_once(store: Store) -> None:
    submitted(store, 1)
    store.limit_queue("default", 2)
    for _ in range(3):
        worker = registered(store)
        assert len(claimed(store, worker)) == 1
        rescue_from(store, worker)
    submitted(store, 3)

    assert len(claimed(store, registered(store))) == 2


def test_what_was_claimed_by_who_did_not_know_of_the_limit_is_counted_in(store: Store) -> None:
    submitted(store, 5)
    worker = registered(store)
    store.limit_queue("default", 2)
    first = claimed(store, worker)
    # As of a worker of an older program.
    execute(store, "DELETE FROM limit_use")

    store.recount_limits()

    assert claimed(store, worker) == []
    end(store, worker, first)
    assert len(claimed(store, worker)) == 2


def test_a_limit_is_not_forgotten_when_its_queue_is_not_used(store: Store) -> None:
    store.limit_queue("default", 1)

    store.recount_limits()

    assert [(view.name, view.limit) for view in store.queues()] == [("default", 1)]


def test_queues_say_their_limits(store: Store) -> None:
    submitted(store, 1)
    submitted(store, 1, queue="mail")
    store.limit_queue("mail", 7)

    assert {view.name: view.limit for view in store.queues()} == {"default": 0, "mail": 7}


@pytest.mark.parametrize(("name", "running"), [("", 1), ("x" * 101, 1), ("x", -1), ("x", 2**31)])
def test_what_makes_no_sense_is_refused(store: Store, name: str, running: int) -> None:
    with pytest.raises(UsageError, match="a queue"):
        store.limit_queue(name, running)


def test_no_limit_of_a_job_has_the_key_of_a_queue(store: Store) -> None:
    job = new_job()
    limit = Limit(" queue default", running=1)

    with pytest.raises(UsageError, match="key"):
        store.submit(
            [NewJob(id=job.id, task=job.task, payload=b"", policy=job.policy, limits=(limit,))]
        )


def test_a_paused_queue_with_a_limit_stays_paused(store: Store) -> None:
    submitted(store, 3)
    store.limit_queue("default", 2)
    store.pause("default")
    worker = registered(store)

    assert claimed(store, worker) == []
    store.resume("default")
    assert len(claimed(store, worker)) == 2


def test_a_job_cannot_begin_while_one_that_waits_for_it_has_all_of_its_queue(store: Store) -> None:
    submitted(store, 1)
    store.limit_queue("default", 1)
    (waiter,) = claimed(store, registered(store))
    child, other = new_job(), new_job(queue="mail")
    store.submit([child, other])
    both = [child.id, other.id]

    assert list(store.held_up(waiter.job_id, both)) == [child.id]

    store.limit_queue("default", 2)
    assert store.held_up(waiter.job_id, both) == {}


def test_many_who_claim_at_once_never_run_more_of_a_queue_than_its_limit(store: Store) -> None:
    """Live attempts are counted by those who hold them, from after the claim to before the end."""
    caps = {"default": 2, "mail": 3}
    for queue, cap in caps.items():
        submitted_to = [new_job(queue=queue, max_crashes=1000) for _ in range(40)]
        store.submit(submitted_to)
        store.limit_queue(queue, cap)
    lock = threading.Lock()
    live: Counter[str] = Counter()
    most: Counter[str] = Counter()
    errors: list[BaseException] = []

    def note(attempts: list[Attempt], sign: int) -> None:
        with lock:
            for one in attempts:
                live[one.policy.queue] += sign
                most[one.policy.queue] = max(most[one.policy.queue], live[one.policy.queue])

    def work(number: int) -> None:
        opened = open_store(store.url)
        worker, rounds = registered(opened, lease=3600), 0
        # Some in one order, some in the other.
        lanes = [*LANES, MAIL][:: 1 if number % 2 else -1]
        try:
            while opened.summary().states[State.SUCCEEDED] < 80:
                # Passes over what others have locked, so one look does not find all.
                opened.rescue()
                opened.recount_limits()
                attempts = opened.claim(worker, lanes=lanes, limit=3, ahead=3)
                note(attempts, 1)
                rounds += bool(attempts)
                note(attempts, -1)
                if attempts and number < 2 and rounds % 3 == 0:
                    # As if it had been killed there, and somebody had found it dead.
                    end_lease(opened, worker)
                    opened.rescue()
                    worker = registered(opened, lease=3600)
                else:
                    end(opened, worker, attempts)
        except BaseException as error:
            errors.append(error)
        finally:
            opened.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert all(most[queue] <= cap for queue, cap in caps.items())
    assert store.summary().states[State.SUCCEEDED] == 80
    assert store.check() == []
