"""What every store promises, on every database: limits on how many jobs run at once, or begin."""

import threading
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from lightwork.lifecycle import AttemptEnd, Failed, Lost, Released, Retried, Snoozed, Succeeded
from lightwork.model import Attempt, Lane, Limit, NewJob, State
from lightwork.net.opening import open_store
from lightwork.store.contract import Store
from lightwork.store.views import LimitView
from store.steps import (
    ERROR,
    LANES,
    claim_one,
    end_lease,
    execute,
    make_due,
    new_job,
    registered,
    rescue_from,
    state_of,
    view_of,
)

THREADS = 6


def limited(*limits: Limit, **policy: Any) -> NewJob:
    job = new_job(**policy)
    found = limits or (Limit("a", running=2),)
    return NewJob(id=job.id, task=job.task, payload=b"p", policy=job.policy, limits=found)


def submitted(store: Store, count: int, *limits: Limit, **policy: Any) -> list[uuid.UUID]:
    jobs = [limited(*limits, **policy) for _ in range(count)]
    store.submit(jobs)
    return [job.id for job in jobs]


def claimed(store: Store, worker: uuid.UUID, *, limit: int = 10, ahead: int = 0) -> list[Attempt]:
    return store.claim(worker, lanes=LANES, limit=limit, ahead=ahead)


def counts(store: Store) -> dict[State, int]:
    return {state: count for state, count in store.summary().states.items() if count}


# What is shown.


def test_limits_are_shown_with_their_job_and_whether_it_waits_for_room(store: Store) -> None:
    (first,) = submitted(store, 1, Limit("a", running=1), Limit("b", rate=60, per=60, burst=3))
    (second,) = submitted(store, 1, Limit("a", running=1))
    claimed(store, registered(store))

    assert view_of(store, first).limits == (
        LimitView(key="a", running=1, rate=0.0, burst=0.0, waits=False),
        LimitView(key="b", running=0, rate=1.0, burst=3.0, waits=False),
    )
    shown = LimitView(key="a", running=1, rate=0.0, burst=0.0, waits=True)
    assert view_of(store, second).limits == (shown,)


# How many run.


def test_no_more_run_than_the_limit_says(store: Store) -> None:
    jobs, worker = submitted(store, 5), registered(store)

    first = claimed(store, worker)

    assert [attempt.job_id for attempt in first] == jobs[:2]
    assert claimed(store, worker) == []
    assert counts(store) == {State.BLOCKED: 3, State.RUNNING: 2}
    assert store.check() == []


def test_jobs_of_a_paused_queue_take_no_room_from_others(store: Store) -> None:
    limit = Limit("api", running=1)
    bulk = submitted(store, 100, limit, queue="bulk")
    worker = registered(store)
    (running,) = store.claim(worker, lanes=store.lanes(["bulk"]), limit=9)
    store.pause("bulk")
    (critical,) = submitted(store, 1, limit, queue="critical")
    names = ["bulk", "critical"]

    # What was ready before is in nobody's way: it holds no room.
    store.ack(worker, [(running, Succeeded(b""))])
    store.readmit()
    (claimed,) = store.claim(worker, lanes=store.lanes(names), limit=9)
    store.ack(worker, [(claimed, Succeeded(b""))])
    assert claimed.job_id == critical
    # Nor does upkeep try again and again.
    assert store.readmit() is None

    store.resume("bulk")
    for _ in bulk[1:]:
        store.readmit()
        (claimed,) = store.claim(worker, lanes=store.lanes(names), limit=9)
        store.ack(worker, [(claimed, Succeeded(b""))])
    assert counts(store) == {State.SUCCEEDED: 101}
    assert store.check() == []


ENDS = [
    Succeeded(b""),
    Failed(ERROR),
    Retried(ERROR, 60.0),
    Snoozed(60.0),
    Released(),
    Lost(ERROR),
]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: type(end).__name__)
def test_end_of_an_attempt_lets_the_next_one_go(store: Store, end: AttemptEnd) -> None:
    jobs, worker = submitted(store, 4), registered(store)
    first = claimed(store, worker)

    store.ack(worker, [(first[0], end)])

    (second,) = claimed(store, worker)
    expected = jobs[0] if isinstance(end, Released | Lost) else jobs[2]
    assert second.job_id == expected
    assert (claimed(store, worker), store.check()) == ([], [])


def test_rescue_gives_the_slots_of_the_dead_back(store: Store) -> None:
    submitted(store, 3)
    dead, worker = registered(store), registered(store)
    claimed(store, dead)

    rescue_from(store, dead)

    assert len(claimed(store, worker)) == 2
    assert store.check() == []


@pytest.mark.parametrize(
    "act", [Store.sign_off, lambda store, who: store.release_others(who, held=[])]
)
def test_what_is_handed_back_gives_its_slot_back(
    store: Store, act: Callable[[Store, uuid.UUID], object]
) -> None:
    submitted(store, 3)
    worker, other = registered(store), registered(store)
    claimed(store, worker)

    act(store, worker) if act is not Store.sign_off else store.sign_off(worker)

    assert len(claimed(store, other)) == 2


def test_jobs_of_a_key_without_room_hold_up_nobody(store: Store) -> None:
    submitted(store, 300)
    other, worker = new_job(), registered(store)
    store.submit([other])

    first = claimed(store, worker)

    assert [attempt.job_id for attempt in first][-1] == other.id
    assert len(first) == 3
    assert counts(store) == {State.BLOCKED: 298, State.RUNNING: 3}


def test_of_many_jobs_of_a_key_few_are_ready(store: Store) -> None:
    submitted(store, 1000)

    assert counts(store)[State.READY] <= 64


def test_limits_are_shared_by_tasks_and_queues_and_a_job_may_have_several(store: Store) -> None:
    both = [Limit("all", running=3), Limit("a", running=1)]
    submitted(store, 2, *both)
    submitted(store, 2, both[0], task="mail:send")
    worker = registered(store)

    lanes = [*LANES, Lane("default", "mail:send")]
    first = store.claim(worker, lanes=lanes, limit=10)

    assert Counter(attempt.task for attempt in first) == {"jobs:work": 1, "mail:send": 2}
    store.ack(worker, [(attempt, Succeeded(b"")) for attempt in first])
    assert len(store.claim(worker, lanes=lanes, limit=10)) == 1
    assert store.check() == []


def test_limited_jobs_are_never_claimed_ahead(store: Store) -> None:
    submitted(store, 3, Limit("a", running=3))

    assert len(claimed(store, registered(store), limit=1, ahead=10)) == 1


def test_highest_priority_gets_the_slot(store: Store) -> None:
    worker = registered(store)
    submitted(store, 3, Limit("a", running=1))
    (running,) = claimed(store, worker)
    claimed(store, worker)
    (urgent,) = submitted(store, 1, Limit("a", running=1), priority=9)
    claimed(store, worker)

    store.ack(worker, [(running, Succeeded(b""))])

    assert claimed(store, worker)[0].job_id == urgent


def test_last_word_on_a_limit_counts(store: Store) -> None:
    worker = registered(store)
    submitted(store, 2, Limit("a", running=1))
    submitted(store, 1, Limit("a", running=3))

    assert len(claimed(store, worker)) == 3


def test_cancelled_jobs_wait_for_nothing(store: Store) -> None:
    jobs, worker = submitted(store, 4), registered(store)
    first = claimed(store, worker)

    store.cancel([jobs[2]])
    store.ack(worker, [(first[0], Succeeded(b""))])

    assert [attempt.job_id for attempt in claimed(store, worker)] == [jobs[3]]
    assert store.check() == []


def test_delayed_and_retried_jobs_obey_too(store: Store) -> None:
    (delayed,) = submitted(store, 1, delay=60)
    worker = registered(store)
    submitted(store, 2)
    first = claimed(store, worker)
    make_due(store, delayed)
    store.promote()
    assert claimed(store, worker) == []

    store.ack(worker, [(first[0], Failed(ERROR))])
    store.retry([first[0].job_id])

    assert len(claimed(store, worker)) == 1
    assert store.check() == []


def test_room_that_nobody_has_told_of_is_found(store: Store) -> None:
    jobs, worker = submitted(store, 4), registered(store)
    first = claimed(store, worker)
    store.ack(worker, [(attempt, Succeeded(b"")) for attempt in first])
    # The jobs that were let go are gone before anybody has claimed them.
    store.cancel([jobs[2]])
    execute(store, "UPDATE limit_slot SET cap = 3")

    assert store.readmit() == 0.0 or store.readmit() is None
    assert len(claimed(store, worker)) == 1


def test_slots_that_have_drifted_are_told_and_counted_anew(store: Store) -> None:
    submitted(store, 4)
    worker = registered(store)
    claimed(store, worker)
    execute(store, "UPDATE limit_slot SET used = 7")
    assert store.check() == ["the slots of limit 'a' are not those of the jobs that run"]

    assert store.recount_limits() == 1

    assert (store.check(), store.recount_limits()) == ([], 0)


def test_slot_that_no_job_holds_is_freed(store: Store) -> None:
    submitted(store, 3, Limit("a", running=1))
    worker = registered(store)
    claimed(store, worker)
    execute(store, "DELETE FROM running")

    store.recount_limits()
    store.readmit()

    assert len(claimed(store, worker)) == 1


def test_repair_counts_slots_anew(store: Store) -> None:
    submitted(store, 1)
    execute(store, "UPDATE limit_slot SET used = 7")

    assert store.repair() == [
        "the slots of limit 'a' are not those of the jobs that run: put right"
    ]
    assert store.check() == []


def test_keys_that_nobody_uses_are_forgotten_and_come_back(store: Store) -> None:
    worker = registered(store)
    (job,) = submitted(store, 1)
    execute(store, "UPDATE limit_slot SET filled_at = 1")
    execute(store, "DELETE FROM limit_use")

    store.recount_limits()

    assert claimed(store, worker)[0].job_id == job
    assert store.check() == []


# How many begin.


def test_no_more_begin_than_tokens_are_there(store: Store) -> None:
    submitted(store, 5, Limit("a", rate=1, per=3600, burst=2))
    worker = registered(store)

    first = claimed(store, worker)
    store.ack(worker, [(attempt, Succeeded(b"")) for attempt in first])

    assert len(first) == 2
    assert claimed(store, worker) == []
    due_in = store.readmit()
    assert due_in is not None
    assert 3000 < due_in <= 3600


def test_the_next_token_is_waited_for_although_all_slots_are_taken(store: Store) -> None:
    """What holds the slot may end before the token comes, and its end opens nothing then."""
    submitted(store, 2, Limit("a", running=1, rate=1, per=3600, burst=1))
    assert len(claimed(store, registered(store))) == 1

    due_in = store.readmit()

    assert due_in is not None
    assert 3000 < due_in <= 3600


def test_no_time_brings_a_slot(store: Store) -> None:
    submitted(store, 3, Limit("a", running=1, rate=1, per=3600, burst=2))
    assert len(claimed(store, registered(store))) == 1

    assert store.readmit() is None


def test_tokens_that_come_let_jobs_begin(store: Store) -> None:
    submitted(store, 5, Limit("a", rate=1, per=3600, burst=2))
    worker = registered(store)
    first = claimed(store, worker)
    store.ack(worker, [(attempt, Released()) for attempt in first])
    execute(store, "UPDATE limit_slot SET filled_at = filled_at - 3600000")

    store.readmit()

    assert len(claimed(store, worker)) == 1
    assert claimed(store, worker) == []


def test_bucket_never_holds_more_than_its_burst(store: Store) -> None:
    submitted(store, 5, Limit("a", rate=1, per=1, burst=2))
    execute(store, "UPDATE limit_slot SET filled_at = 1")

    assert len(claimed(store, registered(store))) == 2


# At once, and with kills.


def test_many_who_claim_at_once_never_run_more_than_the_limit(store: Store) -> None:
    """Live attempts are counted by those who hold them, from after the claim to before the end."""
    limits = {"a": 2, "b": 3}
    for key, running in limits.items():
        several = (Limit(key, running=running), Limit("all", running=4))
        # Those of a task that nobody knows, before the others in each key, take nothing away.
        submitted(store, 40, *several, task="other:work", priority=9)
        submitted(store, 40, *several, max_crashes=1000)
    lock = threading.Lock()
    live: Counter[str] = Counter()
    most: Counter[str] = Counter()
    errors: list[BaseException] = []
    keys = {job.id: "a" if job.seq <= 80 else "b" for job in store.jobs(limit=1000)}

    def note(attempts: list[Attempt], sign: int) -> None:
        with lock:
            for one in attempts:
                for key in (keys[one.job_id], "all"):
                    live[key] += sign
                    most[key] = max(most[key], live[key])

    def work(number: int) -> None:
        opened = open_store(store.url)
        worker, rounds = registered(opened, lease=3600), 0
        try:
            while opened.summary().states[State.SUCCEEDED] < 80:
                opened.readmit()
                # Passes over what others have locked, so one look does not find all.
                opened.rescue()
                lanes = [lane for lane in opened.lanes(["default"]) if lane in LANES]
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
                    opened.ack(worker, [(one, Succeeded(b"")) for one in attempts])
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
    assert most["a"] <= 2
    assert most["b"] <= 3
    assert most["all"] <= 4
    found = counts(store)
    assert found.pop(State.SUCCEEDED) == 80
    assert found.keys() <= {State.READY, State.BLOCKED}
    assert sum(found.values()) == 80
    assert store.check() == []


def test_a_claimed_job_still_counts_when_nobody_knows_its_limits_any_more(store: Store) -> None:
    worker = registered(store)
    submitted(store, 1, Limit("a", running=1))
    attempt = claim_one(store, worker)
    execute(store, "UPDATE job SET limits = NULL")

    store.ack(worker, [(attempt, Succeeded(b""))])

    assert (state_of(store, attempt.job_id), store.check()) == (State.SUCCEEDED, [])
