"""News from other programs: a number is the truth, NOTIFY makes it quick."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import NullPool, create_engine, make_url, text

from lightwork.clock import monotonic
from lightwork.lifecycle import Succeeded
from lightwork.model import Limit
from lightwork.store.contracts.news import News
from lightwork.store.operations.claiming import ShortWay
from lightwork.store.postgresql import hints
from lightwork.store.postgresql.hints import PostgresHints
from lightwork.store.server.watch import Watch
from lightwork.store.sqlstore import SqlStore
from store.servers import execute, server
from store.steps import LANES, claim_one, new_job, registered, submitted
from waiting import wait_until


@pytest.fixture
def other(url: str, store: SqlStore) -> Iterator[SqlStore]:
    """The same database, as another program has it open."""
    with SqlStore(url) as opened:
        yield opened


def hints_of(store: SqlStore) -> PostgresHints:
    found = store.database._hints  # type: ignore[attr-defined]
    assert isinstance(found, PostgresHints)
    return found


def watch_of(store: SqlStore) -> Watch:
    found = store.database._watch  # type: ignore[attr-defined]
    assert isinstance(found, Watch)
    return found


@contextmanager
def waiting(store: SqlStore) -> Iterator[list[int]]:
    """A thread that waits for one change, for as long as it takes."""
    seen, news = store.changes(), []

    def wait() -> None:
        while (number := store.wait_for_change(seen, 10.0)) == seen:
            pass
        news.append(number)

    thread = threading.Thread(target=wait)
    thread.start()
    yield news
    thread.join(30)
    assert not thread.is_alive()
    assert news != [seen]


def test_a_commit_of_another_program_wakes_who_waits(store: SqlStore, other: SqlStore) -> None:
    with waiting(store):
        submitted(other)


def test_a_commit_in_a_foreign_transaction_is_noticed(store: SqlStore, url: str) -> None:
    with waiting(store), create_engine(url, poolclass=NullPool).begin() as connection:
        store.submit_on(connection, [new_job()])


def test_commits_are_noticed_in_whatever_order_they_come(store: SqlStore, url: str) -> None:
    """The one that began first commits last: no number of the newest transaction would tell."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as first, engine.connect() as second:
        for connection in (first, second):
            connection.execute(text("UPDATE tally SET jobs = 0"))
            connection.scalar(text("SELECT pg_current_xact_id()::text"))
        seen = [store.changes()]
        second.commit()
        seen.append(store.changes())
        first.commit()
        seen.append(store.changes())

    assert len(set(seen)) == 3


def test_stores_of_one_program_tell_one_another_without_the_server(
    store: SqlStore, other: SqlStore
) -> None:
    told = watch_of(other)._told_of(News.ALL)

    submitted(store)

    assert watch_of(other)._told_of(News.ALL) == told + 1


def test_who_has_committed_in_a_transaction_of_their_own_wakes_others(
    store: SqlStore, other: SqlStore
) -> None:
    told = watch_of(other)._told_of(News.ALL)

    store.note_commit()

    assert watch_of(other)._told_of(News.ALL) == told + 1


def test_a_store_that_was_closed_has_no_commit_to_tell_of(url: str) -> None:
    closed = SqlStore(url)
    closed.close()

    closed.note_commit()


def test_a_claim_and_a_renewal_wake_nobody(store: SqlStore) -> None:
    worker = registered(store)
    submitted(store)
    told = watch_of(store)._told_of(News.ALL)

    attempt = claim_one(store, worker)
    store.ack(worker, [], begun=[attempt])
    store.renew(worker, lease=60.0)
    quiet = watch_of(store)._told_of(News.ALL)
    store.ack(worker, [(attempt, Succeeded(b""))])

    assert (quiet, watch_of(store)._told_of(News.ALL)) == (told, told + 1)


def test_the_echo_of_our_own_word_wakes_nobody(store: SqlStore) -> None:
    store.wait_for_change(-1, 0.0)
    wait_until(hints_of(store).are_heard, "to listen")
    wait_until(lambda: not hints_of(store)._missing_since, "the first echo")
    told = watch_of(store)._told_of(News.ALL)

    submitted(store)
    wait_until(lambda: not hints_of(store)._sender._due, "to be sent")
    wait_until(lambda: not hints_of(store)._missing_since, "the echo")

    assert watch_of(store)._told_of(News.ALL) == told + 1


def test_a_few_words_in_a_row_wait_for_nothing(store: SqlStore) -> None:
    sender = hints_of(store)._sender
    sender._credited_at = at = monotonic() - 3600

    credit = [sender._credit_at(at + 3600)]
    sender._credit -= 4
    credit += [sender._credit_at(at + 3600), sender._credit_at(at + 3600.02)]

    assert credit == pytest.approx([4.0, 0.0, 2.0])


def test_a_listener_that_hears_nothing_finds_out_though_nobody_commits(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hints, "PROBE", 0.1)
    store.wait_for_change(-1, 0.0)
    wait_until(hints_of(store).are_heard, "to listen")
    wait_until(lambda: not hints_of(store)._missing_since, "the first echo")

    monkeypatch.setattr(hints, "_NOTIFY", "SELECT 1")

    wait_until(lambda: not hints_of(store).are_heard(), "to know that nothing is heard")


def test_what_is_sent_comes_back(store: SqlStore) -> None:
    store.wait_for_change(-1, 0.0)
    heard = hints_of(store)

    wait_until(heard.are_heard, "to listen")
    wait_until(lambda: not heard._missing_since, "the echo")


def test_a_listener_whose_connection_dies_listens_again(store: SqlStore, url: str) -> None:
    store.wait_for_change(-1, 0.0)
    wait_until(hints_of(store).are_heard, "to listen")
    lost = hints_of(store)._listener.driver
    name = make_url(url).database

    execute(
        server("postgresql"),
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE datname = '{name}' AND query LIKE 'LISTEN%'",
    )

    wait_until(lambda: hints_of(store)._listener.driver not in {None, lost}, "to listen again")


def test_without_a_word_from_anybody_changes_are_found_all_the_same(
    store: SqlStore, other: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As behind a pooler that gives the listener's connection to somebody else."""
    monkeypatch.setattr(hints, "_NOTIFY", "SELECT 1")

    with waiting(store):
        submitted(other)
    wait_until(lambda: not hints_of(store).are_heard(), "to know that nothing is heard")
    with waiting(store):
        submitted(other)


def test_heartbeats_of_this_program_wake_nobody_who_waits(store: SqlStore) -> None:
    worker = registered(store)
    watch = watch_of(store)
    store.wait_for_change(-1, 0.0)
    wait_until(lambda: hints_of(store).are_heard(), "words of its own come back")
    # Of what came before it was heard.
    wait_until(lambda: store.changes() == store.changes(), "all of it is seen")

    def is_no_news() -> bool:
        seen = store.changes()
        assert store.renew_all([worker], lease=60) == {worker}
        return store.changes() == seen and watch.changes() == seen

    # Others use the cluster, too: the number is that of all its databases.
    wait_until(is_no_news, "a renewal is known to be our own")


def test_a_commit_beside_a_heartbeat_is_news(store: SqlStore, url: str) -> None:
    worker = registered(store)
    store.wait_for_change(-1, 0.0)
    wait_until(lambda: hints_of(store).are_heard(), "words of its own come back")
    seen = store.changes()
    store.renew_all([worker], lease=60)
    execute(url, "SELECT pg_current_xact_id()")

    assert store.changes() != seen


CLAIMS = {"nothing": 0, "a job": 1, "a limited job": 2, "a limited queue": 1}


@pytest.mark.parametrize("case", CLAIMS)
def test_a_claim_is_counted_as_often_as_the_server_counts_it(store: SqlStore, case: str) -> None:
    worker, watch = registered(store), watch_of(store)
    if case == "a limited queue":
        store.limit_queue("default", 10_000)

    def is_exact() -> bool:
        if case != "nothing":
            limits = (Limit("key", running=10_000),) if case == "a limited job" else ()
            store.submit([replace(new_job(), limits=limits)])
        store._short_way = ShortWay()
        before, own = store.database._ask_for_changes(), watch._own  # type: ignore[attr-defined]
        attempts = store.claim(worker, lanes=LANES, limit=1)
        assert len(attempts) == (case != "nothing")
        after = store.database._ask_for_changes()  # type: ignore[attr-defined]
        return (after - before, watch._own - own) == (CLAIMS[case], CLAIMS[case])

    # Others use the cluster, too.
    wait_until(is_exact, "the claim is counted as it is by the server")


def test_submits_of_a_program_and_of_others_wake_nobody_who_waits_for_ends() -> None:
    watch = Watch(lambda: 7, Heard())
    seen = watch.changes()

    watch.notify(News.WORK)
    assert watch.wait(seen, 0.0, news=News.ENDS) == seen
    assert watch.wait(seen, 0.0) != seen

    watch.notify(News.ALL)
    assert watch.wait(seen, 0.0, news=News.ENDS) != seen


def test_ends_that_let_nothing_begin_wake_nobody_who_waits_for_work() -> None:
    watch = Watch(lambda: 7, Heard())
    seen = watch.changes()

    watch.notify(News.ENDS)
    assert watch.wait(seen, 0.0, news=News.WORK) == seen
    assert watch.wait(seen, 0.0, news=News.ENDS) != seen

    watch.notify(News.WORK)
    assert watch.wait(seen, 0.0, news=News.WORK) != seen


def test_word_says_to_whom_it_is_news(
    store: SqlStore, other: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    words: list[News] = []
    watch, heard = watch_of(store), watch_of(store).notify

    def note(news: News = News.ALL) -> None:
        words.append(news)
        heard(news)

    # Before it listens.
    monkeypatch.setattr(watch, "notify", note)
    store.wait_for_change(-1, 0.0)
    wait_until(lambda: words == [News.ALL], "to listen")
    wait_until(hints_of(store).are_heard, "its own word")
    words.clear()

    # Of this program, and of the listener of another, which takes it for its own.
    hints_of(other)._name = "somebody-else"
    job_id = submitted(other)
    wait_until(lambda: words == [News.WORK] * 2, "word of the submit")

    worker = registered(other)
    (attempt,) = other.claim(worker, lanes=LANES, limit=1)
    other.ack(worker, [(attempt, Succeeded(b""))])
    wait_until(lambda: words.count(News.ENDS) == 2, "word of the end")
    assert News.ALL not in words

    other.retry([job_id])
    other.cancel([submitted(other)])
    wait_until(lambda: words.count(News.ALL) >= 2, "word of the cancel")


class Heard:
    """As if all that is sent arrived."""

    def listen(self, on_hint: Callable[[News], None]) -> None:
        """Hear nothing all the same."""

    def send(self, news: News = News.ALL, *, may_wait: bool = False) -> None:
        """Send nothing."""

    def word(self, _news: News) -> str:
        return ""

    def are_heard(self) -> bool:
        return True

    def pause(self, idle: float) -> float:
        return 2.0

    def close(self) -> None:
        """Nothing is open."""
