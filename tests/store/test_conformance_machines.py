"""What every store promises, on every database: it answers as the machine does, whatever is asked."""

import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from lightwork.machines.kinds import MACHINES
from lightwork.machines.shapes import Answer, Ask, Caller, Event, Lost, Plain, Withdraw
from lightwork.store.contract import Store
from lightwork.store.contracts.primitives import Reply, Request
from store.primitive_steps import Session, ask, end_lease, made

STEPS = 60
KEYS = (b"a", b"b" * 5000)

Question = tuple[str, *tuple[Plain, ...]]


def some_items(chance: random.Random) -> Plain:
    return tuple(bytes([n]) * chance.choice((1, 3000)) for n in range(chance.randint(1, 3)))


def queue_question(chance: random.Random) -> Question:
    numbers = tuple(sorted(chance.sample(range(12), 2)))
    return chance.choice(
        (
            *(("put", some_items(chance)), ("try_put", some_items(chance))),
            *(("get", 2, chance.random() < 0.5), ("try_get", 1, False)),
            *(("ack", numbers[:1]), ("nack", numbers), ("done", 1), ("join",), ("state",)),
        )
    )


def dict_question(chance: random.Random) -> Question:
    key, value = chance.choice(KEYS), bytes([chance.randint(0, 255)])
    return chance.choice(
        (
            *(("set", key, value), ("add", key, value), ("swap", key, 3, value)),
            *(("get", key), ("delete", key), ("pop", key), ("len",), ("clear",)),
            *(("keys", 0, 1), ("items", chance.randint(0, 9), 10)),
        )
    )


def one_of(*questions: Question) -> Callable[[random.Random], Question]:
    return lambda chance: chance.choice(questions)


KINDS: dict[str, tuple[tuple[Plain, ...], Callable[[random.Random], Question]]] = {
    "lock": ((True,), one_of(("acquire",), ("try",), ("release",), ("locked",), ("break",))),
    "semaphore": ((2, False), one_of(("acquire",), ("try",), ("release", 1), ("value",))),
    "condition": (
        (),
        one_of(("enlist",), ("wait", 1), ("wait", 2), ("leave", 3), ("notify", 1), ("notify_all",)),
    ),
    "event": ((), one_of(("wait",), ("wait",), ("set",), ("clear",), ("is_set",))),
    "barrier": (
        (2,),
        one_of(("wait",), ("wait", True), ("pass",), ("state",), ("abort",), ("reset",)),
    ),
    "queue": ((3,), queue_question),
    "value": (
        (b"12345678",),
        one_of(
            ("get",), ("set", b"87654321"), ("read", 1, 3), ("write", 2, b"x"), ("swap", 1, b"y")
        ),
    ),
    "dict": ((), dict_question),
}


class Model:
    """The machine itself, with cells in a dict, and what its callers were answered."""

    def __init__(self, kind: str, spec: tuple[Plain, ...]) -> None:
        self._machine: Any = MACHINES[kind]
        self._state = self._machine.begin(spec)
        self._cells: dict[bytes, bytes] = {}
        self.answers: dict[Caller, Answer] = {}

    def step(self, event: Event) -> None:
        self._state, answers = self._machine.step(self._state, self._cells, event)
        self.answers |= {answer.caller: answer for answer in answers}


def listed(value: Any) -> Any:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(value))


def check(reply: Reply, answer: Answer | None, said: str) -> None:
    if answer is None:
        assert reply.outcome == "waits", said
        return
    assert reply.outcome == "answered", said
    assert reply.refused == answer.refused, said
    assert msgspec.msgpack.decode(reply.value) == listed(answer.value), said


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("kind", MACHINES)
def test_a_store_answers_as_the_machine_does(store: Store, kind: str, seed: int) -> None:
    spec, question = KINDS[kind]
    chance, model = random.Random(seed), Model(kind, spec)
    it = made(store, kind, *spec)
    sessions = [Session(store) for _ in range(3)]
    waiting: dict[Session, Request] = {}
    said = f"{kind} seed {seed}:"

    for _ in range(STEPS):
        session = chance.choice(sessions)
        caller = Caller(session.id.bytes, 1)
        model.answers.pop(caller, None) if session not in waiting else None
        if chance.random() < 0.04:
            said += f"\nlost {sessions.index(session)}"
            end_lease(store, session)
            waiting.pop(session, None)
            model.answers.pop(caller, None)
            model.step(Lost(caller.session))
            sessions[sessions.index(session)] = Session(store)
            continue
        if session in waiting:
            said += f"\nwithdraw {sessions.index(session)}"
            reply = store.withdraw_request(waiting.pop(session))
            model.step(Withdraw(caller))
            answer = model.answers.pop(caller, None)
            if answer is None:
                assert reply.outcome == "withdrawn", said
            else:
                check(reply, answer, said)
        else:
            verb, *args = question(chance)
            said += f"\nask {sessions.index(session)} {verb} {args!r:.80}"
            request = session.request(it)
            reply = ask(store, request, verb, *args)
            model.step(Ask(caller, verb, tuple(args)))
            check(reply, model.answers.get(caller), said)
            if reply.outcome == "waits":
                waiting[session] = request
        for one, request in list(waiting.items()):
            answer = model.answers.pop(Caller(one.id.bytes, 1), None)
            check(store.collect_reply(request), answer, said)
            if answer is not None:
                del waiting[one]
