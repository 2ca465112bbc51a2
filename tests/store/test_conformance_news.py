"""What every store promises, on every database: what has happened since somebody looked."""

from collections.abc import Callable
from contextlib import closing

import pytest

import lightwork as lw
from lightwork.lifecycle import AttemptEnd, Cancelled, Failed, Lost, Quarantined, Retried, Succeeded
from lightwork.model import ErrorInfo
from lightwork.net.opening import open_store
from lightwork.store.contract import Store
from lightwork.store.views import NewsView
from lightwork.work.news import following
from lightwork.work.news.following import Follower
from store.steps import (
    ERROR,
    claim_one,
    execute,
    make_due,
    new_job,
    registered,
    submitted,
)

LOST = ErrorInfo(type="WorkerLost", text="died")


def follow(store: Store) -> Follower:
    follower = Follower(store)
    follower.begin()
    return follower


def kinds_of(events: list[lw.JobEvent]) -> list[str]:
    return [type(event).__name__ for event in events]


def end_one(store: Store, end: AttemptEnd) -> None:
    worker = registered(store)
    attempt = claim_one(store, worker)
    assert not store.ack(worker, [(attempt, end)])


def test_what_was_before_is_no_news(store: Store) -> None:
    submitted(store)

    assert follow(store).look() == []


def test_an_end_right_before_is_no_news(store: Store) -> None:
    for _ in range(3):
        submitted(store)
    end_one(store, Succeeded(b""))
    end_one(store, Failed(ERROR))
    follower = follow(store)
    end_one(store, Succeeded(b""))

    assert kinds_of(follower.look()) == ["Succeeded"]
    assert follower.look() == []


def test_who_listens_again_hears_nothing_of_the_time_between(store: Store) -> None:
    wanted = {lw.Submitted, lw.Succeeded, lw.Failed, lw.Cancelled, lw.Retried}
    hears = set(wanted)
    follower = Follower(store, lambda *kinds: not hears.isdisjoint(kinds))
    follower.begin()
    hears.clear()
    follower.look()
    for end in (Succeeded(b""), Failed(ERROR), Cancelled(), Retried(ERROR, 60.0)):
        submitted(store)
        end_one(store, end)

    hears |= wanted
    follower.begin()

    assert follower.look() == []
    submitted(store)
    assert kinds_of(follower.look()) == ["Submitted"]


def test_who_listens_on_loses_nothing_when_others_begin(store: Store) -> None:
    hears: set[type[lw.JobEvent]] = {lw.Succeeded}
    follower = Follower(store, lambda *kinds: not hears.isdisjoint(kinds))
    follower.begin()
    submitted(store)
    end_one(store, Succeeded(b""))

    hears.add(lw.Failed)
    follower.begin()

    assert kinds_of(follower.look()) == ["Succeeded"]


def test_a_job_is_told_once_when_it_is_submitted_and_once_when_it_ends(store: Store) -> None:
    follower = follow(store)
    job_id = submitted(store, queue="default")
    first = follower.look()
    end_one(store, Succeeded(b""))

    second = follower.look()

    assert kinds_of(first) == ["Submitted"]
    assert kinds_of(second) == ["Succeeded"]
    assert {(one.job_id, one.task, one.queue) for one in first + second} == {
        (job_id, "jobs:work", "default")
    }
    assert follower.look() == []


def test_a_job_that_ends_while_news_are_read_is_told_in_order(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower = follow(store)
    read = store.new_jobs

    def read_then_run(**where: int) -> list[NewsView]:
        page = read(**where)
        monkeypatch.undo()
        submitted(store)
        end_one(store, Failed(ERROR))
        return page

    monkeypatch.setattr(store, "new_jobs", read_then_run)

    assert kinds_of(follower.look() + follower.look()) == ["Submitted", "Failed"]


def test_all_of_one_look_come_in_order(store: Store) -> None:
    follower = follow(store)
    submitted(store)
    end_one(store, Failed(ERROR))
    execute(store, "UPDATE job SET created_at = created_at - 1000")

    assert kinds_of(follower.look()) == ["Submitted", "Failed"]


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        (Retried(ERROR, 0.0), "Retried"),
        (Failed(ERROR), "Failed"),
        (Lost(LOST), "Lost"),
        (Quarantined(LOST), "Quarantined"),
        (Cancelled(), "Cancelled"),
    ],
)
def test_every_end_is_one_event(store: Store, end: AttemptEnd, kind: str) -> None:
    submitted(store)
    follower = follow(store)
    end_one(store, end)

    (event,) = follower.look()

    assert type(event).__name__ == kind
    assert event.attempt == 1
    told, given = getattr(event, "error", None), getattr(end, "error", None)
    assert (told and told.type) == (given and given.type)


def test_an_attempt_that_failed_and_the_job_that_failed_later_are_two_events(store: Store) -> None:
    follower = follow(store)
    job_id = submitted(store)
    end_one(store, Retried(ERROR, 60.0))
    make_due(store, job_id)
    store.promote()
    end_one(store, Failed(ERROR))

    assert sorted(kinds_of(follower.look())) == ["Failed", "Retried", "Submitted"]


def test_a_waiting_job_that_is_cancelled_is_told_each_time(store: Store) -> None:
    job_id = submitted(store)
    follower = follow(store)
    store.cancel([job_id])
    first = follower.look()
    store.retry([job_id])
    store.cancel([job_id])

    assert kinds_of(first + follower.look()) == ["Cancelled", "Cancelled"]


def test_many_come_page_by_page_and_none_twice(store: Store) -> None:
    follower = follow(store)
    store.submit([new_job() for _ in range(2500)])

    pages = [follower.look() for _ in range(4)]

    assert [len(page) for page in pages] == [1000, 1000, 500, 0]
    assert len({event.seq for page in pages for event in page}) == 2500


def late(store: Store, sql: str) -> Callable[[], None]:
    return lambda: execute(store, sql)


def test_a_job_whose_number_was_passed_over_is_told_when_it_is_there(store: Store) -> None:
    """A transaction that takes a number and commits after others is not missed."""
    submitted(store)
    follower = follow(store)
    first, second = submitted(store), submitted(store)
    execute(store, "UPDATE job SET seq = seq + 100 WHERE id = :id", {"id": first.bytes})
    assert {event.job_id for event in follower.look()} == {second, first}
    execute(store, "UPDATE job SET seq = seq - 50 WHERE id = :id", {"id": first.bytes})

    (event,) = follower.look()

    assert event.job_id == first
    assert follower.look() == []


def test_an_end_that_commits_late_is_told(store: Store) -> None:
    submitted(store)
    submitted(store)
    follower = follow(store)
    end_one(store, Succeeded(b""))
    follower.look()
    end_one(store, Succeeded(b""))
    # By its own clock it ended before what was told already.
    execute(store, "UPDATE outcome SET finished_at = finished_at - 500 WHERE seq = 2")
    for source in follower._ends:
        source.late_at = 0.0

    assert [event.seq for event in follower.look()] == [2]
    assert follower.look() == []


def test_only_what_somebody_wants_is_read(store: Store) -> None:
    follower = Follower(store, lambda *kinds: lw.Failed in kinds)
    follower.begin()
    submitted(store)
    submitted(store)
    end_one(store, Succeeded(b""))
    end_one(store, Failed(ERROR))

    assert kinds_of(follower.look()) == ["Failed"]


def test_an_end_is_told_once_however_long_it_is_the_last(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(following, "monotonic", lambda: now[0])
    follower = follow(store)
    submitted(store)
    end_one(store, Succeeded(b""))

    told = []
    for _ in range(60):
        told += kinds_of(follower.look())
        now[0] += 1.5

    assert told == ["Submitted", "Succeeded"]


def test_what_was_told_is_forgotten_while_there_is_something_to_tell_at_each_look(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(following, "monotonic", lambda: now[0])
    with closing(open_store(sqlite_url)) as store:
        follower = follow(store)

        told = []
        for _ in range(60):
            store.submit([new_job()])
            told += follower.look()
            now[0] += 1.5

    assert len(told) == 60
    assert len(follower.seen._old) + len(follower.seen._new) < 30
