"""Who sends word of a commit: whoever has committed, on a quiet system; of many in a row a thread."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from lightwork.errors import StoreUnavailable
from lightwork.store.contracts.news import News
from lightwork.store.server.hint_sender import HintSender
from waiting import wait_until

NEVER_AGAIN = 3600.0


class Words:
    """What was sent, to whom it is news, and whether by who posted it."""

    def __init__(self, *, is_quick: bool = True) -> None:
        self.sent: list[tuple[News, bool]] = []
        self.error: Exception | None = None
        self._ours = threading.get_ident()
        self.sender = HintSender(self._send, NEVER_AGAIN, is_quick=is_quick)

    def _send(self, news: News) -> None:
        self.sent.append((news, threading.get_ident() == self._ours))
        if self.error is not None:
            raise self.error


@pytest.fixture
def words() -> Iterator[Words]:
    found = Words()
    yield found
    found.sender.close()


def test_the_first_words_are_sent_by_who_has_committed_and_later_ones_by_a_thread(
    words: Words,
) -> None:
    for news in (News.WORK, News.ALL, News.ENDS):
        words.sender.post(news, may_wait=True)
    wait_until(lambda: len(words.sent) == 3, "the thread to send")

    assert words.sent == [(News.WORK, True), (News.ALL, True), (News.ENDS, False)]


def test_what_may_not_wait_is_sent_by_the_thread(words: Words) -> None:
    words.sender.post(News.WORK)
    wait_until(lambda: bool(words.sent), "the thread to send")

    assert words.sent == [(News.WORK, False)]


def test_an_event_loop_does_not_stand_still_for_a_word(words: Words) -> None:
    async def post() -> None:
        words.sender.post(News.WORK, may_wait=True)

    asyncio.run(post())
    wait_until(lambda: bool(words.sent), "the thread to send")

    assert words.sent == [(News.WORK, False)]


def test_a_word_that_cannot_be_sent_is_no_error_of_who_has_committed(words: Words) -> None:
    words.error = StoreUnavailable("gone")

    words.sender.post(News.WORK, may_wait=True)

    assert words.sent == [(News.WORK, True)]


def test_none_is_sent_once_it_is_closed(words: Words) -> None:
    words.sender.close()

    words.sender.post(News.WORK, may_wait=True)

    assert words.sent == []
