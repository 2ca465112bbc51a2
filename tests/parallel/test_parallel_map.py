"""`lightwork map` with real programs."""

import json
import os
import subprocess

import pytest

from parallel.command_line import CommandLine

pytestmark = pytest.mark.process


def test_lines_of_standard_input_are_inputs(line: CommandLine) -> None:
    found = line.lines("map", "-k", "echo got {}", typed="a b\n$HOME\n\nlast")

    assert found == ["got a b", "got $HOME", "got ", "got last"]


def test_options_may_follow_the_command_and_words_are_never_options(line: CommandLine) -> None:
    found = line.lines("map", "echo", "--keep-order", ":::", "-k", "--help")

    assert found == ["-k", "--help"]


def test_sources_of_all_kinds_are_combined(line: CommandLine) -> None:
    (line.folder / "f").write_text("x\ny\n")

    found = line.lines(
        "map", "-k", "echo", "::::", "f", ":::+", "1", "2", "::::", "-", typed="p\nq"
    )

    assert found == ["x 1 p", "x 1 q", "y 2 p", "y 2 q"]


def test_nul_ends_inputs_when_asked(line: CommandLine) -> None:
    found = line.lines("map", "-0", "printf '%s|' {}", typed="a\nb\0")

    assert found == ["a", "b|"]


def test_columns_are_numbered_values(line: CommandLine) -> None:
    found = line.lines("map", "--colsep", ",", "echo {2} {1}", typed="a, b\n")

    assert found == ["b a"]


def test_without_a_shell_nothing_is_special(line: CommandLine) -> None:
    found = line.lines("map", "--no-shell", "echo '$HOME' {} ;", ":::", "a  b")

    assert found == ["$HOME a  b ;"]


def test_names_that_are_no_text_survive(line: CommandLine) -> None:
    name = os.fsdecode(b"\xff.txt")
    (line.folder / name).write_text("x")

    line.run("map", "mv {} {.}.moved", ":::", name)

    assert (line.folder / os.fsdecode(b"\xff.moved")).exists()


def test_outputs_do_not_interleave(line: CommandLine) -> None:
    # Each job writes its lines one by one, all at the same time.
    command = "for n in 1 2 3 4 5 6 7 8 9; do echo {}$n; done"

    found = line.lines("map", "-j4", command, ":::", *"abcdefgh")

    blocks = [found[start : start + 9] for start in range(0, len(found), 9)]
    assert all(len({text[0] for text in block}) == 1 for block in blocks)
    assert len(found) == 72


def test_jobs_run_at_the_same_time(line: CommandLine) -> None:
    # Each of two waits for the other.
    command = "mkfifo {1} 2>/dev/null; mkfifo {2} 2>/dev/null; echo x > {1} & read y < {2}; wait"

    done = line.run("map", "-j2", "--timeout", "60s", command, ":::", "a", "b", ":::+", "b", "a")

    assert done.returncode == 0


def test_an_output_of_any_size_is_shown_whole(line: CommandLine) -> None:
    done = line.run("map", "head -c 20000000 /dev/zero | tr '\\0' {}", ":::", "x")

    assert len(done.stdout) == 20_000_000


def test_both_outputs_are_shown_where_they_belong(line: CommandLine) -> None:
    done = line.run("map", "echo out; echo err >&2; true", ":::", "x")

    assert (done.stdout, done.stderr) == ("out\n", "err\n")


def test_tag_begins_each_line_with_the_values(line: CommandLine) -> None:
    done = line.run("map", "--tag", "printf '1\\n2'; echo e >&2; true {}", ":::", "a", ":::", "b")

    assert (done.stdout, done.stderr) == ("a b\t1\na b\t2", "a b\te\n")


def test_a_failed_job_is_a_failed_map(line: CommandLine) -> None:
    done = line.run("map", "exit {}", ":::", "0", "3", "0")

    assert (done.returncode, done.stderr) == (1, "lightwork: 2 succeeded, 1 failed\n")


def test_quiet_leaves_only_what_jobs_say(line: CommandLine) -> None:
    done = line.run("map", "--quiet", "--no-shell", "no-such-program", ":::", "1")

    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


def test_a_program_that_is_not_there_is_a_failed_job(line: CommandLine) -> None:
    done = line.run("map", "--no-shell", "--joblog", "log", "no-such-program", ":::", "1")

    assert "it cannot be started" in done.stderr
    assert (line.folder / "log").read_text().splitlines()[1].split("\t")[6:8] == ["127", "0"]


def test_a_job_with_too_few_values_fails_alone(line: CommandLine) -> None:
    done = line.run("map", "-k", "--colsep", ",", "echo {2}", typed="a,b\nc\nd,e\n")

    assert (done.returncode, done.stdout) == (1, "b\ne\n")
    assert "job 2 (echo {2}): it cannot be started: {2} asks for a value" in done.stderr


def test_a_job_that_runs_too_long_is_killed_and_named(line: CommandLine) -> None:
    done = line.run("map", "--timeout", "0.2s", "--joblog", "log", "sleep 1000; true", ":::", "7")

    assert (
        "lightwork: job 1 (sleep 1000; true 7): the program did not end within 0.2" in done.stderr
    )
    assert (line.folder / "log").read_text().splitlines()[1].split("\t")[6:8] == ["-1", "15"]


def test_a_failed_job_is_tried_again(line: CommandLine) -> None:
    command = "echo x >> tries; test $(wc -l < tries) = {}"

    done = line.run("map", "--retries", "5", command, ":::", "3")

    assert done.returncode == 0
    assert (line.folder / "tries").read_text() == "x\n" * 3


def test_a_job_that_never_succeeds_is_tried_so_many_times_in_all(line: CommandLine) -> None:
    done = line.run("map", "--retries", "2", "echo x >> tries; false {}", ":::", "1")

    assert (done.returncode, (line.folder / "tries").read_text()) == (1, "x\n" * 2)


def test_with_no_number_of_tries_a_job_is_tried_until_it_succeeds(line: CommandLine) -> None:
    command = "echo x >> tries; test $(wc -l < tries) = {}"

    done = line.run("map", "--retries", "0", command, ":::", "4")

    assert done.returncode == 0
    assert (line.folder / "tries").read_text() == "x\n" * 4


def test_a_dry_run_shows_commands_and_runs_none(line: CommandLine) -> None:
    found = line.lines("map", "--dry-run", "touch {} #{#}", ":::", "a b", "c")

    assert found == ["touch 'a b' #1", "touch c #2"]
    assert not (line.folder / "c").exists()


def test_json_is_an_object_a_job(line: CommandLine) -> None:
    done = line.run("map", "--json", "echo out; exit {}", ":::", "2")

    found = json.loads(done.stdout)
    assert (found["seq"], found["input"], found["exit_status"]) == (1, ["2"], 2)
    assert (found["command"], found["stdout"]) == ("echo out; exit 2", "out\n")


def test_a_bar_says_how_far_it_is(line: CommandLine) -> None:
    done = line.run("map", "--bar", "true", ":::", "a", "b")

    assert "true: 2 of 2 done" in done.stderr


def test_halt_soon_starts_no_more(line: CommandLine) -> None:
    done = line.run(
        "map", "-j1", "-k", "--halt", "soon,fail=1", "echo {}; test {} != 2", typed="1\n2\n3\n4\n"
    )

    assert (done.returncode, done.stdout) == (1, "1\n2\n")


def test_halt_now_kills_what_runs(line: CommandLine) -> None:
    # The second fails once the first is there.
    command = (
        "test {} = b || { touch there; exec sleep 1000; }; until test -e there; do :; done; false"
    )

    done = line.run("map", "-j2", "--halt", "now,fail=1", command, ":::", "a", "b")

    assert done.returncode == 1
    assert "halted: 0 succeeded, 1 failed, 1 unfinished" in done.stderr


def test_halt_ends_an_input_without_an_end(line: CommandLine) -> None:
    with subprocess.Popen(["yes"], stdout=subprocess.PIPE) as endless:
        with line.start("map", "--halt", "soon,done=5", "echo {}", stdin=endless.stdout) as process:
            stdout, _ = process.communicate(timeout=60)
        endless.terminate()

    assert process.returncode == 0
    assert stdout.count("y\n") >= 5


def test_a_job_is_shown_while_the_next_input_is_awaited(line: CommandLine) -> None:
    with line.start("map", "-j1", "echo got {}", stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("a\n")
        process.stdin.flush()

        shown = process.stdout.readline()
        process.stdin.close()

    assert shown == "got a\n"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["gzip", "-k", "{}", ":::", "a"], "one word of the command line, so quote it"),
        ([":::", "a"], "seen: none"),
        (["echo", "::::", "no-such-file"], "no-such-file cannot be read"),
        (["echo", "--resume", ":::", "a"], "name the --joblog"),
        (["echo", "--halt", "never,ever", ":::", "a"], "no rule to halt"),
        (["echo", "-j", "0", ":::", "a"], "--url"),
        (["echo", "--url", "x", ":::", "a"], "not the URL of a store"),
        (["echo", "--url", "sqlite:///w.db", ":::", "a"], "run the command here with --joblog"),
        (["--no-shell", "echo '", ":::", "a"], "cannot be parted into words"),
        (["echo", ":::+", "a"], "link to the source before them"),
        (["echo {##}", ":::", "a"], "{##} is no placeholder; there are {} {.}"),
        (["echo", "-j", "x", ":::", "a"], "-j x: expected a number of jobs such as 8"),
        (["echo", "-j", "9999", ":::", "a"], "at most 1024 jobs"),
        (["echo", "--load", "much", ":::", "a"], "--load much: expected"),
        (["echo", "--memfree", "much", ":::", "a"], "--memfree much: expected a size"),
        (["echo", "--lb", "-k", ":::", "a"], "say one of them"),
        (["echo", "--lb", "--json", ":::", "a"], "say one of them"),
        (["work:square", "--func", "--pipe"], "a function has no standard input"),
        (["cat", "--pipe", ":::", "a"], "--pipe reads standard input or one file"),
        (["cat", "--pipe", "--recend", ""], "--pipe cannot part its input after nothing"),
        (["echo", "--shuf", "--resume", "--joblog", "l", ":::", "a"], "--shuf changes"),
        (["echo", "--results", "out.csv", ":::", "a"], "--results keeps outputs in folders"),
        (["echo", "-3", ":::", "a"], "write -- before it"),
    ],
)
def test_wrong_use_is_refused_with_status_255(
    line: CommandLine, words: list[str], text: str
) -> None:
    done = line.run("map", *words)

    assert (done.returncode, text in done.stderr) == (255, True), done.stderr


def test_a_broken_pipe_ends_the_map_quietly(line: CommandLine) -> None:
    with subprocess.Popen(["yes"], stdout=subprocess.PIPE) as endless:
        with line.start("map", "echo {}", stdin=endless.stdout) as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.stdout.close()
            process.wait(60)
            assert process.stderr is not None
            said = process.stderr.read()
        endless.terminate()

    assert (process.returncode, said) == (1, "")
