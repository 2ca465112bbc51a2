"""Values in their places: as GNU parallel's manual has it, where not said otherwise."""

import os
import pickle
from pathlib import Path

import pytest

from lightwork.command.command import Command
from lightwork.command.placeholders import Place, fill_argv, fill_shell
from lightwork.errors import UsageError
from lightwork.pool.process.executor import ProcessExecutor
from lightwork.pool.thread.executor import ThreadExecutor

PARTS = [
    # value, {.}, {/}, {//}, {/.}
    ("dir/pic.tar.gz", "dir/pic.tar", "pic.tar.gz", "dir", "pic.tar"),
    ("/a/b.c/d", "/a/b.c/d", "d", "/a/b.c", "d"),
    ("plain", "plain", "plain", ".", "plain"),
    ("/top.x", "/top", "top.x", "/", "top"),
    ("a/b/", "a/b/", "", "a", ""),
    (".hidden", "", ".hidden", ".", ""),
    ("dir.d/x y.txt", "dir.d/x y", "x y.txt", "dir.d", "x y"),
    ("line\n.two", "line\n", "line\n.two", ".", "line\n"),
]
# What `parallel --plus` makes of these.
MORE_PARTS = [
    # value, {+/}, {+.}, {+..}, {+...}, {..}, {...}, {/..}, {/...}
    ("a/b/p.tar.gz", "a/b", "gz", "tar.gz", "", "a/b/p", "a/b/p.tar.gz", "p", "p.tar.gz"),
    ("x.y", "", "y", "", "", "x.y", "x.y", "x.y", "x.y"),
    ("noext", "", "", "", "", "noext", "noext", "noext", "noext"),
    ("/abs/f.a.b.c.d", "/abs", "d", "c.d", "b.c.d", "/abs/f.a.b", "/abs/f.a", "f.a.b", "f.a"),
    ("", "", "", "", "", "", "", "", ""),
    ("dir/", "dir", "", "", "", "dir/", "dir/", "", ""),
]
NO_PLACEHOLDERS = ["{0}", "{01}", "{##}", "{....}", "{+}", "{=s/a/b/=}", "{2/+}", "{-}", "x{%%}"]
FILLED = [
    (["echo", "{}"], ["a"], ("echo", "a")),
    (["echo"], ["a"], ("echo", "a")),
    (["echo"], ["a", "b"], ("echo", "a", "b")),
    (["echo", "{}"], ["a", "b c"], ("echo", "a", "b c")),
    (["echo", "<{}>"], ["a", "b c"], ("echo", "<a b c>")),
    (["echo", "{2}", "{1}"], ["a", "b"], ("echo", "b", "a")),
    (["echo", "{-1}"], ["a", "b"], ("echo", "b")),
    (["cp", "{1}", "{2//}/{1/.}.bak"], ["x/y.c", "d/e"], ("cp", "x/y.c", "d/y.bak")),
    (["{}", "x"], ["prog"], ("prog", "x")),
    (["echo", "{#}", "{}"], ["a"], ("echo", "7", "a")),
    (["awk", "{print $1}"], ["f"], ("awk", "{print $1}", "f")),
    (["echo", "{}"], ["{1}"], ("echo", "{1}")),
    (["awk", "{a}", "{a,b}", "{1,2}"], ["f"], ("awk", "{a}", "{a,b}", "{1,2}", "f")),
    (["bash", "{1..3}", "${1}x{}"], ["f"], ("bash", "{1..3}", "$fxf")),
]
SHELL = [
    ("echo {}", ["a b"], "echo 'a b'"),
    ("echo", ["$HOME"], "echo '$HOME'"),
    ("cat {} | wc", ["it's; rm -rf /"], """cat 'it'"'"'s; rm -rf /' | wc"""),
    ("cp {1} {2.}.x", ["a b", "c d.e"], "cp 'a b' 'c d'.x"),
    ("echo {}", ["a b", "c"], "echo 'a b' c"),
    ("echo {}", [""], "echo ''"),
    ("echo {#} {}", ["a"], "echo 7 a"),
]


@pytest.mark.parametrize(("value", "stem", "name", "folder", "bare"), PARTS)
def test_each_placeholder_means_its_part_of_the_value(
    value: str, stem: str, name: str, folder: str, bare: str
) -> None:
    filled = fill_argv(["{}", "{.}", "{/}", "{//}", "{/.}"], [value])

    assert filled == (value, stem, name, folder, bare)


@pytest.mark.parametrize(("argv", "values", "expected"), FILLED)
def test_values_take_their_places(
    argv: list[str], values: list[str], expected: tuple[str, ...]
) -> None:
    assert fill_argv(argv, values, Place(seq=7)) == expected


@pytest.mark.parametrize(("text", "values", "expected"), SHELL)
def test_values_are_quoted_for_a_shell(text: str, values: list[str], expected: str) -> None:
    assert fill_shell(text, values, Place(seq=7)) == expected


@pytest.mark.parametrize("form", ["{3}", "{-3.}", "x{9/}"])
def test_a_number_that_no_value_has_is_refused(form: str) -> None:
    with pytest.raises(UsageError, match="asks for a value that is not there"):
        fill_argv(["echo", form], ["a", "b"])


@pytest.mark.parametrize("parts", MORE_PARTS, ids=lambda parts: parts[0])
def test_more_placeholders_mean_what_they_mean_in_gnu_parallel(parts: tuple[str, ...]) -> None:
    forms = ["{+/}", "{+.}", "{+..}", "{+...}", "{..}", "{...}", "{/..}", "{/...}"]

    assert fill_argv(forms, [parts[0]]) == parts[1:]


def test_more_placeholders_may_be_numbered() -> None:
    assert fill_argv(["{2+.}", "{1..}"], ["a.b.c", "d.e"]) == ("e", "a")


@pytest.mark.parametrize("word", NO_PLACEHOLDERS)
@pytest.mark.parametrize("shell", [True, False])
def test_what_only_looks_like_a_placeholder_is_refused(word: str, shell: bool) -> None:
    argv = f"echo {word}" if shell else ["echo", word]

    with pytest.raises(UsageError, match="is no placeholder; there are"):
        Command.template(argv, shell=shell)


@pytest.mark.parametrize(
    "word", ["{a}", "{print $1}", "${#}", "${1%.*}", "{1..9}", "{a,b}", "{2,3}"]
)
def test_braces_of_others_are_left_to_them(word: str) -> None:
    Command.template(["echo", word])


def test_the_number_of_the_slot_has_a_place() -> None:
    assert fill_argv(["{%}"], ["a"], Place(slot=3)) == ("3",)


def test_numbers_that_the_last_of_several_jobs_lacks_are_empty() -> None:
    assert fill_argv(["{1}", "<{2}>"], ["a"], Place(least=2)) == ("a", "<>")


def test_the_job_number_stays_where_jobs_have_none() -> None:
    assert fill_argv(["echo", "{#}", "{}"], ["a"]) == ("echo", "{#}", "a")


def test_options_of_the_template_are_those_of_its_commands(tmp_path: Path) -> None:
    template = Command.template(["pwd"], cwd=tmp_path, text=False)

    assert template.command("-P")().stdout == os.fsencode(tmp_path) + b"\n"


def test_paths_and_numbers_are_values() -> None:
    made = Command.template(["cut"]).command(Path("a/b"), 3, 0.5, b"\xff")

    assert made.argv == ("cut", "a/b", "3", "0.5", "\udcff")


def test_other_values_are_refused() -> None:
    with pytest.raises(UsageError, match="text, a path or a number"):
        Command.template(["echo"]).command(["a"])


def test_a_template_without_a_value_is_refused() -> None:
    with pytest.raises(UsageError, match="needs a value"):
        Command.template(["echo"])()


def test_a_wrong_option_is_refused_when_the_template_is_made() -> None:
    with pytest.raises(UsageError, match="timeout"):
        Command.template(["echo"], timeout=-1)


def test_a_template_survives_pickling() -> None:
    template = Command.template("echo {}", shell=True, timeout=5)

    assert pickle.loads(pickle.dumps(template)) == template


@pytest.mark.process
def test_a_quoted_value_reaches_the_program_whole() -> None:
    value = "a  b'\"$HOME`ls`\\\n;*"

    done = Command.template("printf %s {}", shell=True)(value)

    assert done.stdout == value


@pytest.mark.process
def test_a_template_maps_over_several_inputs_on_threads() -> None:
    with ThreadExecutor(2) as executor:
        done = list(executor.map(Command.template(["echo", "{2}-{1}"]), "ab", "xy"))

    assert [each.stdout for each in done] == ["x-a\n", "y-b\n"]


@pytest.mark.process
def test_a_template_maps_over_paths_in_children(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a b", "c")]
    for path in paths:
        path.write_text("x")

    with ProcessExecutor(2) as executor:
        done = list(executor.map(Command.template(["gzip", "-k", "{}"]), paths))

    assert [each.returncode for each in done] == [0, 0]
    assert all(path.with_name(path.name + ".gz").exists() for path in paths)
