"""Options of GNU parallel, with real programs."""

import subprocess
import time

import pytest

from lightwork.parallel.jobs import MapJob
from lightwork.parallel.results import result_paths
from parallel.command_line import CommandLine
from waiting import wait_until

pytestmark = pytest.mark.process


def test_jobs_get_several_inputs(line: CommandLine) -> None:
    found = line.lines("map", "-k", "-N", "2", "echo {1}-{2} of {}", typed="a\nb\nc\n")

    assert found == ["a-b of a b", "c- of c"]


def test_a_number_beyond_those_of_a_job_is_still_an_error(line: CommandLine) -> None:
    done = line.run("map", "-N", "2", "echo {3}", typed="a\nb\n")

    assert (done.returncode, "{3} asks for a value" in done.stderr) == (1, True)


def test_jobs_may_get_no_input(line: CommandLine) -> None:
    assert line.lines("map", "-N", "0", "echo x", typed="a\nb\n") == ["x", "x"]


def test_functions_get_several_inputs(line: CommandLine) -> None:
    found = line.lines("map", "--func", "-N", "2", "-k", "work:join", ":::", "a", "b", "c")

    assert found == ["a-b", "c"]


def test_files_of_inputs_are_sources(line: CommandLine) -> None:
    (line.folder / "f").write_text("1\n2\n")
    (line.folder / "g").write_text("x\n")

    found = line.lines("map", "-k", "-a", "f", "-a", "g", "echo {1}{2}{3}", ":::", "p", "q")

    assert found == ["1xp", "1xq", "2xp", "2xq"]


def test_slots_have_numbers(line: CommandLine) -> None:
    # Each of two waits for the other, so that both slots are used.
    command = "touch {1}; until test -e {2}; do sleep 0.01; done; echo {%}"

    found = line.lines("map", "-j2", command, ":::", "a", "b", ":::+", "b", "a")

    assert sorted(found) == ["1", "2"]


def test_one_slot_has_one_number(line: CommandLine) -> None:
    assert line.lines("map", "-j1", "echo {%}", ":::", "a", "b") == ["1", "1"]


def test_the_joblog_has_the_command_that_ran(line: CommandLine) -> None:
    line.run("map", "-j1", "--joblog", "log", "true {#}{%}{}", ":::", "a")

    assert (line.folder / "log").read_text().endswith("\ttrue 11a\n")


def test_the_failed_jobs_are_counted(line: CommandLine) -> None:
    assert line.run("map", "exit {}", ":::", "7", "0", "7").returncode == 2


def test_the_job_that_halts_gives_the_status(line: CommandLine) -> None:
    assert line.run("map", "--halt", "now,fail=1", "exit {}", ":::", "7").returncode == 7


def test_a_store_out_of_reach_is_another_error(line: CommandLine) -> None:
    done = line.run("map", "--func", "work:square", "--url", "sqlite:////no/where.db", ":::", "1")

    assert done.returncode == 255


def test_results_are_kept_in_files(line: CommandLine) -> None:
    done = line.run("map", "--results", "out", "echo {1}; echo e >&2", ":::", "a/b", ":::", "c")

    folder = line.folder / "out" / "1" / "a\\_b" / "2" / "c"
    assert {path.name: path.read_text() for path in folder.iterdir()} == {
        "stdout": "a/b\n",
        "stderr": "e\n",
        "seq": "1",
    }
    # As in GNU parallel, what is kept is not shown.
    assert (done.stdout, done.stderr) == ("", "")


def test_results_have_the_names_that_placeholders_make(line: CommandLine) -> None:
    line.run("map", "--results", "out/{1}-{2}", "echo", ":::", "a", ":::", "b")

    names = sorted(path.name for path in (line.folder / "out").iterdir())
    assert names == ["a-b", "a-b.err", "a-b.seq"]


@pytest.mark.parametrize("value", ["", ".", "..", "../x", "/etc/x", "\\", "a\tb\nc"])
def test_results_never_leave_their_folder(value: str) -> None:
    path, *_ = result_paths("out", MapJob(1, (value,)))

    assert len(path.parts) == 4
    assert not {".", ".."} & set(path.parts)


def test_results_of_different_values_do_not_meet() -> None:
    values = ["", ".", "..", "/", "_", "\\_", "\\", "\\\\", "0", "\\0", "\t", "\\t"]

    assert len({result_paths("out", MapJob(1, (value,)))[0] for value in values}) == len(values)


def test_results_that_cannot_be_written_end_the_map(line: CommandLine) -> None:
    (line.folder / "out").touch()

    done = line.run("map", "--results", "out", "echo", ":::", "a")

    assert (done.returncode, "--results out/1/a/stdout cannot be written" in done.stderr) == (
        255,
        True,
    )


def test_blocks_of_standard_input_go_to_jobs(line: CommandLine) -> None:
    numbers = "".join(f"{n}\n" for n in range(20_000))

    found = line.lines("map", "--pipe", "--block", "20k", "-k", "cat", typed=numbers)

    assert "\n".join(found) + "\n" == numbers


def test_blocks_end_where_lines_do(line: CommandLine) -> None:
    typed = "aaa\nbbb\nccc\n"

    found = line.lines("map", "--pipe", "--block", "9", "-k", "wc -c", typed=typed)

    assert [int(text) for text in found] == [8, 4]


def test_records_of_standard_input_are_counted(line: CommandLine) -> None:
    words = ("map", "--pipe", "-N", "2", "--recend", ";", "-k", "echo {#}: $(cat) {}")

    assert line.lines(*words, typed="a;b;c;") == ["1: a;b; ", "2: c; "]


def test_a_job_need_not_read_its_block(line: CommandLine) -> None:
    done = line.run("map", "--pipe", "--block", "100k", "true", typed="x\n" * 200_000)

    assert (done.returncode, done.stderr) == (0, "")


def test_lines_are_shown_while_their_job_runs(line: CommandLine) -> None:
    command = "echo first; until test -e go; do sleep 0.01; done; echo last; true {}"
    with line.start("map", "--lb", "--tag", command, ":::", "a") as process:
        assert process.stdout is not None

        first = process.stdout.readline()
        (line.folder / "go").touch()
        rest = process.stdout.read()

    assert (first, rest, process.returncode) == ("a\tfirst\n", "a\tlast\n", 0)


def test_lines_shown_as_they_come_are_whole_and_all_there(line: CommandLine) -> None:
    command = "seq -f '{}%05g' 3000; printf 'end{}'"

    found = line.lines("map", "--lb", "-j4", command, ":::", *"abcd")

    # The last lines have no end, so that what follows stands behind them.
    text = "\n".join(found)
    assert [text.count(f"{job}{n:05}") for job in "abcd" for n in (1, 1500, 3000)] == [1] * 12
    assert [text.count(f"end{job}") for job in "abcd"] == [1] * 4


def test_lines_of_errors_are_shown_beside(line: CommandLine) -> None:
    done = line.run("map", "--lb", "echo out; echo err >&2; true", ":::", "a")

    assert (done.stdout, done.stderr) == ("out\n", "err\n")


def test_a_delay_parts_the_starts(line: CommandLine) -> None:
    start = time.monotonic()

    line.lines("map", "-j4", "--delay", "1s", "true", ":::", *"abc")

    assert time.monotonic() - start > 2.0


def test_a_shuffled_map_runs_each_job_once(line: CommandLine) -> None:
    words = [str(n) for n in range(40)]

    found = line.lines("map", "-k", "--shuf", "echo", ":::", *words)

    assert sorted(found) == sorted(words)
    # The order of 40 words comes back once in 8e47 times.
    assert found != words


def test_the_time_that_is_left_needs_all_inputs(line: CommandLine) -> None:
    done = line.run("map", "--eta", "true", typed="a\nb\n")

    assert "true: 2 of 2 done" in done.stderr


@pytest.mark.parametrize("words", [("--load", "100000"), ("--memfree", "1k"), ("-j", "50%")])
def test_a_machine_that_is_idle_enough_runs_the_jobs(
    line: CommandLine, words: tuple[str, ...]
) -> None:
    assert line.lines("map", "-k", *words, "echo", ":::", "a", "b") == ["a", "b"]


@pytest.mark.parametrize("words", [("--load", "0"), ("--memfree", "900T")])
def test_a_busy_machine_holds_the_jobs_back(line: CommandLine, words: tuple[str, ...]) -> None:
    # What spins here keeps the load above 0, for as long as the map is watched.
    with (
        subprocess.Popen(["/bin/sh", "-c", "while :; do :; done"]) as spinning,
        line.start("map", *words, "--joblog", "log", "touch {}", ":::", "a") as process,
    ):
        wait_until((line.folder / "log").exists, "the map has begun")
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        process.terminate()
        spinning.kill()

    assert (line.folder / "log").read_text().count("\n") == 1
    assert not (line.folder / "a").exists()
