"""`lightwork locks`: the list, and what a person does to a lock."""

import json

import pytest

from cli.conftest import Invoke
from lightwork.store.contract import Store
from store.primitive_steps import Session, end_lease, lock, made


def test_the_list_says_who_holds_what(lightwork: Invoke, store: Store) -> None:
    holder, waiter, it = Session(store), Session(store), lock(store, "balance")
    lock(store, "free")
    holder.ask(it, "acquire")
    waiter.ask(it, "acquire")

    lines = lightwork("locks").stdout.splitlines()

    assert [line.split("\t")[:6] for line in lines] == [
        ["KIND", "NAME", "HOLDER", "SESSION", "TOKEN", "WAITING"],
        ["lock", "balance", "host:7", holder.id.hex[:8], "1", "1"],
        ["lock", "free", "", "", "", ""],
    ]


def test_the_list_says_that_a_holder_is_lost(lightwork: Invoke, store: Store) -> None:
    holder = Session(store)
    holder.ask(lock(store), "acquire")
    end_lease(store, holder)

    assert "host:7 (lost)" in lightwork("locks").stdout


def test_of_many_holders_the_list_shows_the_first(lightwork: Invoke, store: Store) -> None:
    it = made(store, "semaphore", 3, False)
    for _ in range(3):
        Session(store).ask(it, "acquire")

    assert "host:7 and 2 more" in lightwork("locks").stdout


def test_the_list_is_json_on_request(lightwork: Invoke, store: Store) -> None:
    Session(store).ask(lock(store), "acquire")

    (found,) = map(json.loads, lightwork("locks", "--json").stdout.splitlines())

    assert (found["kind"], found["name"], found["token"]) == ("lock", "it", 1)
    assert found["holders"][0]["pid"] == 7
    assert lightwork("locks", "--quiet").stdout == "it\n"


@pytest.mark.parametrize("url_first", [True, False])
def test_a_lock_is_released(lightwork: Invoke, store: Store, url_first: bool) -> None:
    Session(store).ask(lock(store), "acquire")
    words = [store.url, "release", "it"] if url_first else ["release", "it", store.url]

    done = lightwork("locks", *words)

    assert done.stdout == "it is released\n"
    assert store.primitives()[0].holders == ()
    assert lightwork("locks", "release", "it").stdout == "it was free\n"


def test_a_lock_is_removed(lightwork: Invoke, store: Store) -> None:
    lock(store)

    done = lightwork("locks", "remove", "it", "--json")

    assert json.loads(done.stdout) == {"kind": "lock", "name": "it", "removed": True}
    assert store.primitives() == []


def test_of_two_of_one_name_one_is_named_by_its_kind(lightwork: Invoke, store: Store) -> None:
    lock(store)
    made(store, "queue", 0)

    unclear = lightwork("locks", "remove", "it")
    done = lightwork("locks", "remove", "it", "--kind", "queue")

    assert unclear.exit_code == 2
    assert "--kind" in unclear.stderr
    assert done.stdout == "queue it is removed\n"


@pytest.mark.parametrize("verb", ["release", "remove"])
def test_what_there_is_not_is_told(lightwork: Invoke, store: Store, verb: str) -> None:
    assert store.primitives() == []

    done = lightwork("locks", verb, "nothing")

    assert done.exit_code == 2
    assert "no lock 'nothing'" in done.stderr


def test_a_lock_must_be_named(lightwork: Invoke, store: Store) -> None:
    assert store.primitives() == []

    assert lightwork("locks", "release").exit_code == 2
