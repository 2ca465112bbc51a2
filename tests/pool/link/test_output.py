"""What children write reaches the program, line by line, with the name of who wrote it."""

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import calls
import output_calls
import pytest

from lightwork.errors import UsageError, WorkerLost
from lightwork.pool.link.output_reader import LINE_MAX, OutputLine
from lightwork.pool.process.executor import ProcessExecutor
from waiting import wait_until

pytestmark = pytest.mark.process

WAIT = 30


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def seen() -> list[OutputLine]:
    return []


def test_a_line_arrives_with_its_stream_and_who_wrote_it(seen: list[OutputLine]) -> None:
    with ProcessExecutor(1, name="press", output=seen.append) as pool:
        pool.submit(output_calls.say, "news").result(WAIT)
        pool.submit(output_calls.shout, "extra").result(WAIT)

    assert seen == [
        OutputLine("news", "stdout", "press-1", "say"),
        OutputLine("extra", "stderr", "press-1", "shout"),
    ]


def test_who_has_the_result_has_the_output(seen: list[OutputLine]) -> None:
    with ProcessExecutor(2, output=seen.append) as pool:
        for number in range(100):
            pool.submit(output_calls.say, str(number)).result(WAIT)
            assert seen[-1].text == str(number)


@pytest.mark.parametrize("write", [output_calls.say_in_c, output_calls.say_in_a_program])
def test_what_is_not_written_by_python_arrives_too(
    seen: list[OutputLine], write: Callable[[str], None]
) -> None:
    with ProcessExecutor(1, output=seen.append) as pool:
        pool.submit(write, "deep").result(WAIT)

    assert {line.text for line in seen} == {"deep"}
    assert {line.function for line in seen} == {write.__name__}


def test_lines_of_short_calls_have_the_name_of_their_function(seen: list[OutputLine]) -> None:
    with ProcessExecutor(1, output=seen.append) as pool:
        for _ in range(200):
            pool.submit(output_calls.one)
            pool.submit(output_calls.two)

    assert [line.function for line in seen] == [line.text for line in seen]
    assert [line.text for line in seen] == ["one", "two"] * 200


def test_a_map_is_named_by_its_function(seen: list[OutputLine]) -> None:
    with ProcessExecutor(2, output=seen.append) as pool:
        list(pool.map(output_calls.say, "abcdefgh", chunksize=4))

    assert {line.function for line in seen} == {"say"}
    assert sorted(line.text for line in seen) == list("abcdefgh")


def test_the_order_of_a_stream_is_kept(seen: list[OutputLine]) -> None:
    with ProcessExecutor(1, output=seen.append) as pool:
        pool.submit(output_calls.say_many, 20_000).result(WAIT)

    assert [line.text for line in seen] == [f"line {number}" for number in range(20_000)]


def test_a_line_arrives_whole_although_it_was_written_in_parts(seen: list[OutputLine]) -> None:
    with ProcessExecutor(1, output=seen.append) as pool:
        pool.submit(output_calls.say_in_parts, "a", "b\nc", "d\r\n", "", "\n").result(WAIT)

    assert [line.text for line in seen] == ["ab", "cd", ""]


def test_a_line_that_was_not_finished_arrives_when_another_function_runs(
    seen: list[OutputLine],
) -> None:
    with ProcessExecutor(1, output=seen.append) as pool:
        pool.submit(output_calls.say_in_parts, "no end").result(WAIT)
        pool.submit(output_calls.one).result(WAIT)

    assert [(line.text, line.function) for line in seen] == [
        ("no end", "say_in_parts"),
        ("one", "one"),
    ]


def test_a_line_that_was_not_finished_arrives_when_its_child_is_killed(
    seen: list[OutputLine],
) -> None:
    with ProcessExecutor(1, output=seen.append) as pool:
        future: Future[object] = pool.submit(output_calls.say_and_die, "last words")
        with pytest.raises(WorkerLost):
            future.result(WAIT)

        assert seen == [OutputLine("last words", "stdout", "lightwork-child-1", "say_and_die")]


def test_a_call_that_fails_has_said_what_it_had_to_say(seen: list[OutputLine]) -> None:
    with ProcessExecutor(1, output=seen.append) as pool:
        pool.submit(output_calls.say_and_fail, "why").exception(WAIT)

    assert [line.text for line in seen] == ["why"]


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_an_endless_line_arrives_in_pieces(seen: list[OutputLine], end: bytes) -> None:
    data = b"x" * (3 * LINE_MAX) + end

    with ProcessExecutor(1, output=seen.append) as pool:
        pool.submit(output_calls.say_bytes, data).result(WAIT)
        pool.submit(output_calls.one).result(WAIT)

    assert "".join(line.text for line in seen) == "x" * (3 * LINE_MAX) + "one"
    assert max(len(line.text) for line in seen) <= LINE_MAX
    assert seen[-1] == OutputLine("one", "stdout", "lightwork-child-1", "one")


def test_bytes_that_are_no_text_do_no_harm(seen: list[OutputLine]) -> None:
    with ProcessExecutor(1, output=seen.append) as pool:
        pool.submit(output_calls.say_bytes, b"\xff\0\xfe\n").result(WAIT)

    assert [line.text for line in seen] == ["\ufffd\0\ufffd"]


def test_the_initializer_is_heard_as_nobody_in_particular(seen: list[OutputLine]) -> None:
    with ProcessExecutor(
        1, output=seen.append, initializer=output_calls.say, initargs=("hello",)
    ) as pool:
        pool.submit(abs, 1).result(WAIT)

    assert [(line.text, line.function) for line in seen] == [("hello", "")]


def test_a_finalizer_is_heard(seen: list[OutputLine]) -> None:
    with ProcessExecutor(
        1, output=seen.append, finalizer=output_calls.say, finalargs=("bye",)
    ) as pool:
        pool.submit(abs, 1).result(WAIT)

    assert [line.text for line in seen] == ["bye"]


def test_a_slow_listener_slows_the_children_and_loses_nothing() -> None:
    may_go_on = threading.Event()
    seen: list[str] = []

    def listen(line: OutputLine) -> None:
        may_go_on.wait(WAIT)
        seen.append(line.text)

    with ProcessExecutor(1, output=listen) as pool:
        # More than its pipe holds: the child has to wait.
        future = pool.submit(output_calls.say_many, 50_000)
        may_go_on.set()
        future.result(WAIT)

    assert len(seen) == 50_000


def test_a_listener_that_fails_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def listen(line: OutputLine) -> None:
        raise SystemExit(line.text)

    with ProcessExecutor(1, output=listen) as pool:
        assert pool.submit(output_calls.say, "a").result(WAIT) == "a"
        assert pool.submit(output_calls.say, "b").result(WAIT) == "b"

    assert caplog.text.count("output_not_passed_on child=lightwork-child-1") == 2


def test_show_prints_lines_with_names(capsys: pytest.CaptureFixture[str]) -> None:
    with ProcessExecutor(1, name="press", output="show") as pool:
        pool.submit(output_calls.say, "news").result(WAIT)
        pool.submit(output_calls.shout, "extra").result(WAIT)

    assert capsys.readouterr() == ("[press-1 say] news\n", "[press-1 shout] extra\n")


def test_other_words_are_refused() -> None:
    with pytest.raises(UsageError, match='None, "show" or a function'):
        ProcessExecutor(1, output="lines")  # type: ignore[arg-type]


def test_by_default_children_write_where_the_program_does() -> None:
    ours = output_calls.streams()

    with ProcessExecutor(1) as pool:
        assert pool.submit(output_calls.streams).result(WAIT) == ours


def test_no_descriptor_is_left_whatever_became_of_the_children(seen: list[OutputLine]) -> None:
    def use() -> None:
        with ProcessExecutor(2, output=seen.append, max_tasks_per_child=2) as pool:
            list(pool.map(output_calls.say, "abcdefgh", chunksize=1))
            pool.submit(calls.exit_now).exception(WAIT)
            pool.submit(calls.segfault).exception(WAIT)
        ProcessExecutor(2, output=seen.append).shutdown()

    use()
    before = _descriptors()
    use()

    assert _descriptors() == before


def test_a_program_that_a_call_left_behind_keeps_nobody_waiting(seen: list[OutputLine]) -> None:
    with ProcessExecutor(1, output=seen.append) as pool:
        pid = pool.submit(output_calls.leave_a_program_that_speaks).result(WAIT)
        wait_until(lambda: seen, "it has spoken")

    assert [line.text for line in seen] == ["left"]
    os.kill(pid, signal.SIGKILL)


def test_each_stream_has_a_pipe_of_its_own(seen: list[OutputLine]) -> None:
    with ProcessExecutor(1, output=seen.append) as pool:
        names = pool.submit(output_calls.streams).result(WAIT)

    assert all(name.startswith("pipe:") for name in names)
    assert len(set(names)) == 2
