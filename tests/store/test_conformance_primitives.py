"""What every store promises, on every database: locks are granted once, in order, to who lives."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from lightwork.errors import UsageError
from lightwork.store.contract import Store
from lightwork.store.contracts.primitives import SessionInfo
from store.primitive_steps import Session, ask, end_lease, lock, made, value
from store.steps import execute, scalar

# Asking.


def test_a_free_lock_is_granted_with_a_token_that_grows(store: Store) -> None:
    it, session = lock(store), Session(store)

    first = value(session.ask(it, "acquire"))
    session.ask(it, "release")

    assert first == [1, False]
    assert value(session.ask(it, "acquire")) == [2, False]


def test_who_waits_is_answered_by_the_release(store: Store) -> None:
    it, holder, waiter = lock(store), Session(store), Session(store)
    holder.ask(it, "acquire")
    request = waiter.request(it)

    assert ask(store, request, "acquire").outcome == "waits"
    assert store.collect_reply(request).outcome == "waits"
    holder.ask(it, "release")

    assert value(store.collect_reply(request)) == [2, False]


def test_a_request_that_is_sent_again_asks_nothing_anew(store: Store) -> None:
    it, session = lock(store), Session(store)
    request = session.request(it)
    first = ask(store, request, "acquire")

    again = ask(store, request, "acquire")

    assert again == first
    assert store.primitives()[0].token == 1


def test_a_waiting_request_that_is_sent_again_waits_once(store: Store) -> None:
    it, holder, waiter = lock(store), Session(store), Session(store)
    holder.ask(it, "acquire")
    request = waiter.request(it)

    assert ask(store, request, "acquire").outcome == "waits"
    assert ask(store, request, "acquire").outcome == "waits"

    assert store.primitives()[0].waiting == 1


def test_a_release_that_is_sent_again_releases_once(store: Store) -> None:
    it, one, other = lock(store), Session(store), Session(store)
    one.ask(it, "acquire")
    request = one.request(it)
    ask(store, request, "release")
    other.ask(it, "acquire")

    again = ask(store, request, "release")

    assert (again.outcome, again.refused) == ("answered", "")
    assert value(one.ask(it, "locked")) is True


def test_what_was_never_made_is_gone(store: Store) -> None:
    session = Session(store)
    it = lock(store)
    store.remove_primitive("lock", "it")

    assert session.ask(it, "acquire").outcome == "gone"


def test_a_verb_that_the_machine_does_not_know_is_refused(store: Store) -> None:
    it, session = lock(store), Session(store)

    with pytest.raises(UsageError, match="juggle"):
        session.ask(it, "juggle")


def test_a_thread_that_waits_asks_nothing_else(store: Store) -> None:
    it, other = lock(store), lock(store, "other")
    holder, waiter = Session(store), Session(store)
    holder.ask(it, "acquire")
    waiter.ask(it, "acquire")

    with pytest.raises(UsageError, match="one answer at a time"):
        waiter.ask(other, "acquire")


# Withdrawing.


def test_a_withdrawn_request_is_passed_over(store: Store) -> None:
    it, holder, waiter, last = lock(store), Session(store), Session(store), Session(store)
    holder.ask(it, "acquire")
    withdrawn, waiting = waiter.request(it), last.request(it)
    ask(store, withdrawn, "acquire")
    ask(store, waiting, "acquire")

    assert store.withdraw_request(withdrawn).outcome == "withdrawn"
    holder.ask(it, "release")

    assert value(store.collect_reply(waiting)) == [2, False]
    assert store.collect_reply(withdrawn).outcome == "withdrawn"


def test_a_request_that_was_answered_first_cannot_be_withdrawn(store: Store) -> None:
    it, holder, waiter = lock(store), Session(store), Session(store)
    holder.ask(it, "acquire")
    request = waiter.request(it)
    ask(store, request, "acquire")
    holder.ask(it, "release")

    assert value(store.withdraw_request(request)) == [2, False]
    assert value(store.withdraw_request(request)) == [2, False]


def test_a_request_that_is_withdrawn_on_its_way_asks_nothing(store: Store) -> None:
    it, session = lock(store), Session(store)
    request = session.request(it)

    assert store.withdraw_request(request).outcome == "withdrawn"

    assert ask(store, request, "acquire").outcome == "withdrawn"
    assert value(session.ask(it, "locked")) is False


# Sessions.


def test_a_session_whose_lease_ran_out_is_granted_nothing(store: Store) -> None:
    it, session = lock(store), Session(store)
    end_lease(store, session)

    assert session.ask(it, "acquire").outcome == "lost"
    assert store.renew_session(session.id, lease=60) is False
    with pytest.raises(UsageError, match="never returns"):
        store.open_session(SessionInfo(id=session.id, host="here", pid=1), lease=60)


def test_the_next_one_who_asks_gets_what_a_lost_session_held(store: Store) -> None:
    it, lost, other = lock(store), Session(store), Session(store)
    lost.ask(it, "acquire")
    end_lease(store, lost)

    assert value(other.ask(it, "acquire")) == [2, True]
    assert lost.ask(it, "release").outcome == "lost"


def test_who_waits_finds_by_itself_that_the_holder_is_lost(store: Store) -> None:
    it, lost, waiter = lock(store), Session(store), Session(store)
    lost.ask(it, "acquire")
    request = waiter.request(it)
    ask(store, request, "acquire")
    end_lease(store, lost)

    assert value(store.collect_reply(request)) == [2, True]


def test_who_waits_and_is_lost_is_granted_nothing(store: Store) -> None:
    it, holder, lost, last = lock(store), Session(store), Session(store), Session(store)
    holder.ask(it, "acquire")
    ask(store, lost.request(it), "acquire")
    request = last.request(it)
    ask(store, request, "acquire")
    end_lease(store, lost)

    holder.ask(it, "release")

    assert value(store.collect_reply(request)) == [2, False]


def test_a_session_that_ends_lets_go_of_all_at_once(store: Store) -> None:
    places = [lock(store, f"lock {number}") for number in range(3)]
    leaving, staying = Session(store), Session(store)
    for place in places:
        leaving.ask(place, "acquire")
    request = staying.request(places[1])
    ask(store, request, "acquire")

    store.end_session(leaving.id)

    assert value(store.collect_reply(request)) == [2, True]
    assert value(staying.ask(places[0], "locked")) is False
    store.end_session(leaving.id)


def test_locked_does_not_count_who_is_lost(store: Store) -> None:
    it, lost, other = lock(store), Session(store), Session(store)
    lost.ask(it, "acquire")
    end_lease(store, lost)

    assert value(other.ask(it, "locked")) is False


def test_a_live_lease_is_renewed(store: Store) -> None:
    session = Session(store, lease=1)

    assert store.renew_session(session.id, lease=3600) is True

    later = scalar(store, "SELECT lease_until - started_at FROM primitive_session")
    assert later > 1_000_000


# Keeping.


def test_a_primitive_is_made_once_with_one_spec(store: Store) -> None:
    assert lock(store) == lock(store)

    with pytest.raises(UsageError, match="other arguments"):
        made(store, "lock", True)


def test_a_kind_that_there_is_not_is_refused(store: Store) -> None:
    with pytest.raises(UsageError, match="lock"):
        made(store, "sock")


@pytest.mark.parametrize("name", ["", "n" * 201])
def test_a_name_that_cannot_be_kept_is_refused(store: Store, name: str) -> None:
    with pytest.raises(UsageError, match="200"):
        lock(store, name)


def test_names_differ_in_every_letter(store: Store) -> None:
    assert lock(store, "Mail") != lock(store, "mail")
    assert len(store.primitives()) == 2


def test_primitives_say_who_holds_them(store: Store) -> None:
    it, holder, waiter = lock(store), Session(store), Session(store)
    lock(store, "free")
    holder.ask(it, "acquire")
    waiter.ask(it, "acquire")

    free, held = store.primitives()

    assert (free.name, free.holders, free.token, free.since) == ("free", (), 0, None)
    assert (held.kind, held.name, held.token, held.waiting) == ("lock", "it", 1, 1)
    assert held.since is not None
    (view,) = held.holders
    assert (view.host, view.pid, view.is_live) == ("host", 7, True)
    assert view.session == holder.id.hex[:8]
    assert store.primitives(kind="lock", name="it") == [held]
    assert store.primitives(kind="queue") == []


def test_a_lock_that_is_broken_goes_to_the_next(store: Store) -> None:
    it, holder, waiter = lock(store), Session(store), Session(store)
    holder.ask(it, "acquire")
    request = waiter.request(it)
    ask(store, request, "acquire")

    assert store.break_lock("it") is True

    assert value(store.collect_reply(request)) == [2, True]
    assert holder.ask(it, "release").refused == "held by another"
    waiter.ask(it, "release")
    assert store.break_lock("it") is False


def test_a_lock_that_there_is_not_cannot_be_broken(store: Store) -> None:
    with pytest.raises(UsageError, match="no lock"):
        store.break_lock("it")


def test_who_waits_for_a_removed_primitive_is_told(store: Store) -> None:
    it, holder, waiter = lock(store), Session(store), Session(store)
    holder.ask(it, "acquire")
    request = waiter.request(it)
    ask(store, request, "acquire")

    assert store.remove_primitive("lock", "it") is True

    assert store.collect_reply(request).outcome == "gone"
    assert store.remove_primitive("lock", "it") is False


# Pruning.


def make_old(store: Store) -> None:
    execute(store, "UPDATE primitive SET changed_at = 1")


def test_unnamed_primitives_that_nobody_uses_are_pruned(store: Store) -> None:
    session = Session(store)
    for name in ("named", "unused", "used"):
        session.ask(lock(store, name, is_named=name == "named"), "acquire")
    store.end_session(session.id)
    user = Session(store)
    user.ask(lock(store, "used"), "acquire")
    make_old(store)

    assert store.prune_primitives() == 1

    assert [view.name for view in store.primitives()] == ["named", "used"]


def test_one_that_was_changed_today_is_kept(store: Store) -> None:
    lock(store, "new", is_named=False)

    assert store.prune_primitives() == 0
    assert len(store.primitives()) == 1


def test_lost_sessions_are_ended_where_nobody_asks(store: Store) -> None:
    it, lost, waiter = lock(store), Session(store), Session(store)
    lost.ask(it, "acquire")
    waiter.ask(it, "acquire")
    end_lease(store, lost)

    assert store.prune_primitives() == 1

    assert [one.session for one in store.primitives()[0].holders] == [waiter.id.hex[:8]]
    assert scalar(store, "SELECT count(*) FROM primitive_session") == 1
    assert scalar(store, "SELECT count(*) FROM primitive_caller") == 1


# Many at once.


def test_of_many_who_ask_at_once_one_gets_it(store: Store) -> None:
    it = lock(store)
    sessions = [Session(store) for _ in range(8)]
    together = threading.Barrier(8)

    def try_it(session: Session) -> object:
        together.wait()
        return value(session.ask(it, "try"))

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(try_it, sessions))

    assert [answer for answer in answers if answer is not None] == [[1, False]]


def test_many_who_make_the_same_primitive_at_once_have_one(store: Store) -> None:
    together = threading.Barrier(8)

    def make(_: int) -> object:
        together.wait()
        return lock(store)

    with ThreadPoolExecutor(8) as threads:
        ids = set(threads.map(make, range(8)))

    assert len(ids) == 1


def test_many_who_renew_and_ask_lose_nothing(store: Store) -> None:
    it = lock(store)

    def work(_: int) -> int:
        session, done = Session(store), 0
        while done < 5:
            if session.ask(it, "try").value != b"\xc0":
                session.ask(it, "release")
                done += 1
            assert store.renew_session(session.id, lease=60)
        store.end_session(session.id)
        return done

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(work, range(4))) == 20

    assert store.primitives()[0].token == 20
