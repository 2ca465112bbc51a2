"""A call that is repeated is done once, whenever the second comes."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable

import pytest

from lightwork.model import Lane, WorkerInfo
from lightwork.net.client.client import ServerStore
from lightwork.net.server.answers import Answers
from lightwork.net.server.request import Reply
from lightwork.net.wire import forms, media
from lightwork.net.wire.failures import Refused
from lightwork.net.wire.shapes import shape_of
from net.server.asked import ask
from store.steps import new_job

KEY = ("admin/", "/v1/store/claim", "1")


def calls_of(*replies: Reply) -> tuple[list[Reply], Callable[[], Awaitable[Reply]]]:
    waiting, done = list(replies), list[Reply]()

    async def perform() -> Reply:
        await asyncio.sleep(0)
        done.append(waiting.pop(0))
        return done[-1]

    return done, perform


def reply(status: int = 200, body: bytes = b"x") -> Reply:
    return Reply(status, body, media.JSON)


def test_two_at_once_are_one() -> None:
    done, perform = calls_of(reply(), reply())

    async def both() -> tuple[Reply, Reply]:
        answers = Answers()
        return await asyncio.gather(
            answers.answer(KEY, b"", perform), answers.answer(KEY, b"", perform)
        )

    first, second = asyncio.run(both())

    assert first is second
    assert len(done) == 1


def test_one_whose_caller_goes_away_is_done_to_its_end() -> None:
    done, perform = calls_of(reply(), reply())

    async def leave() -> Reply:
        answers = Answers()
        first = asyncio.ensure_future(answers.answer(KEY, b"", perform))
        await asyncio.sleep(0)
        first.cancel()
        return await answers.answer(KEY, b"", perform)

    assert asyncio.run(leave()) is done[0]
    assert len(done) == 1


def test_what_failed_because_the_database_was_away_is_tried_again() -> None:
    done, perform = calls_of(reply(503), reply())

    async def twice() -> list[int]:
        answers = Answers()
        return [(await answers.answer(KEY, b"", perform)).status for _ in range(2)]

    assert asyncio.run(twice()) == [503, 200]
    assert len(done) == 2


def test_an_answer_that_is_not_kept_any_more_is_no_reason_to_do_it_again() -> None:
    done, perform = calls_of(reply(body=b"x" * 100), reply(), reply())

    async def thrice() -> None:
        answers = Answers(most_bytes=50)
        await answers.answer(KEY, b"", perform)
        await answers.answer(("", "", "2"), b"", perform)
        with pytest.raises(Refused, match="not kept any more"):
            await answers.answer(KEY, b"", perform)

    asyncio.run(thrice())
    assert len(done) == 2


def test_answers_and_ids_are_forgotten_in_the_end() -> None:
    _, perform = calls_of(*[reply() for _ in range(20)])

    async def many() -> tuple[int, int]:
        answers = Answers(seconds=0.0, most_calls=5)
        for number in range(20):
            await answers.answer(("", "", str(number)), b"", perform)
        answers._forget()
        return len(answers._kept), answers._bytes

    assert asyncio.run(many()) == (0, 0)


def test_a_claim_that_is_repeated_gets_the_same_jobs(client: ServerStore, url: str) -> None:
    client.submit([new_job() for _ in range(3)])
    worker = WorkerInfo(id=uuid.uuid4(), name="w", host="h", pid=1, slots=2)
    client.register(worker, lease=60)
    shape = shape_of("claim")
    given = {"worker_id": worker.id, "lanes": [Lane("default", "jobs:work")], "limit": 2}
    body = media.encode(shape.request_of(given), media.MSGPACK)
    headers = {"Content-Type": media.MSGPACK}

    answers = [ask(url, "POST", f"/v1/store/claim?call={n}", body, headers) for n in (1, 1, 2)]
    claimed = [media.decode(one.body, forms.Claimed, media.MSGPACK).attempts for one in answers]

    assert claimed[0] == claimed[1]
    assert [len(attempts) for attempts in claimed] == [2, 2, 1]
    assert client.release_others(worker.id, held=[]) == 3
