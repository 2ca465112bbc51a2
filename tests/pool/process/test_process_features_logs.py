"""What children log is logged in the program."""

import logging
from pathlib import Path

import calls
import log_calls
import pytest

from lightwork.errors import WorkerLost
from lightwork.pool.process.executor import ProcessExecutor
from waiting import wait_until

pytestmark = pytest.mark.process

WAIT = 30


@pytest.fixture
def shop(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger="shop")
    return caplog


def test_a_record_arrives_as_it_was_with_the_name_of_the_child(
    shop: pytest.LogCaptureFixture,
) -> None:
    with ProcessExecutor(1, name="till", logs=True) as pool:
        pool.submit(log_calls.say, logging.INFO, "sold").result(WAIT)

    (record,) = shop.records
    assert (record.name, record.levelno) == ("shop.orders", logging.INFO)
    assert (record.getMessage(), record.processName) == ("sold!", "till-1")
    assert (record.funcName, vars(record)["colour"]) == ("say", "blue")


def test_levels_are_those_of_the_program_in_the_child_already(
    shop: pytest.LogCaptureFixture,
) -> None:
    with ProcessExecutor(1, logs=True) as pool:
        levels = pool.submit(log_calls.enabled, logging.DEBUG, logging.INFO).result(WAIT)
        pool.submit(log_calls.say, logging.DEBUG, "quiet").result(WAIT)

    assert levels == [False, True]
    assert shop.records == []


def test_a_traceback_arrives_as_text(shop: pytest.LogCaptureFixture) -> None:
    with ProcessExecutor(1, logs=True) as pool:
        pool.submit(log_calls.say_with_error).result(WAIT)

    assert "LookupError: no such order" in shop.text


def test_a_record_arrives_while_its_call_runs(
    shop: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    go_on = tmp_path / "go on"

    with ProcessExecutor(1, logs=True) as pool:
        future = pool.submit(log_calls.say_and_wait, str(go_on))
        wait_until(lambda: shop.records, "the record has come")
        was_running = not future.done()
        go_on.touch()

    assert was_running


def test_the_last_words_before_a_crash_arrive(shop: pytest.LogCaptureFixture) -> None:
    with ProcessExecutor(1, logs=True) as pool:
        lost = pool.submit(log_calls.say_and_fault).exception(WAIT)

    assert isinstance(lost, WorkerLost)
    assert [record.getMessage() for record in shop.records] == ["the last words"]


def test_records_of_initializer_and_finalizer_arrive(shop: pytest.LogCaptureFixture) -> None:
    with ProcessExecutor(
        1,
        logs=True,
        initializer=log_calls.say,
        initargs=(logging.INFO, "hello"),
        finalizer=log_calls.say,
        finalargs=(logging.INFO, "bye"),
    ) as pool:
        pool.submit(calls.pid).result(WAIT)

    assert [record.getMessage() for record in shop.records] == ["hello!", "bye!"]


def test_records_of_other_threads_are_bounded_and_drops_counted(
    shop: pytest.LogCaptureFixture,
) -> None:
    with ProcessExecutor(1, logs=True) as pool:
        pool.submit(log_calls.say_in_thread, 1500).result(WAIT)

    arrived = [record for record in shop.records if record.name == "shop.orders"]
    (dropped,) = [record for record in shop.records if "dropped" in record.getMessage()]
    assert len(arrived) == 1000
    assert dropped.getMessage() == "log_records_dropped child=lightwork-child-1 count=500"


def test_what_logs_in_the_middle_of_anything_harms_no_answer(
    shop: pytest.LogCaptureFixture,
) -> None:
    with ProcessExecutor(1, logs=True) as pool:
        found = [pool.submit(log_calls.make_rings, n) for n in range(300)]
        results = [future.result(WAIT) for future in found]

    assert results == list(range(300))


def test_a_filter_that_fails_does_not_end_the_pool(shop: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("shop.orders")

    def refuse(record: logging.LogRecord) -> bool:
        raise ArithmeticError(record.msg)

    logger.addFilter(refuse)
    try:
        with ProcessExecutor(1, logs=True) as pool:
            pool.submit(log_calls.say, logging.INFO, "sold").result(WAIT)
            again = pool.submit(calls.double, 4).result(WAIT)
    finally:
        logger.removeFilter(refuse)

    assert again == 8
    assert "log_record_failed" in shop.text


def test_without_the_option_nothing_arrives(shop: pytest.LogCaptureFixture) -> None:
    with ProcessExecutor(1) as pool:
        pool.submit(log_calls.say, logging.INFO, "sold").result(WAIT)

    assert shop.records == []
