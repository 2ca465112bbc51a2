"""Wrong use of the demo is refused in words, and workers that cannot work end it."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from lightwork.cli.main import cli
from lightwork.demo.workers import Workers, share
from lightwork.errors import Error
from waiting import wait_until


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--url", "nonsense"], 2, "not the URL of a store"),
        (["--url", "nonsense", "--fresh"], 2, "not the URL of a store"),
        (["--url", "sqlite:////no/such/folder/x.db"], 3, "there is no folder"),
        (["--jobs", "0"], 2, "0 is not in the range"),
        (["--folder", "/no/such/folder"], 2, "does not exist"),
    ],
)
def test_wrong_use_is_refused_in_words(arguments: list[str], status: int, words: str) -> None:
    result = CliRunner().invoke(cli, ["demo", "--limit", "1", *arguments])

    assert result.exit_code == status
    assert words in result.output
    assert "Traceback" not in result.output


def test_a_folder_without_python_files_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["demo", "--folder", str(tmp_path)])

    assert result.exit_code == 2
    assert "no Python source file below" in result.output


@pytest.mark.parametrize(("jobs", "slots"), [(1, [1]), (2, [1, 1]), (5, [3, 2])])
def test_children_are_shared_between_two_workers_if_there_are_two(
    jobs: int, slots: list[int]
) -> None:
    assert share(jobs) == slots


@pytest.mark.process
def test_workers_that_fail_again_and_again_end_the_demo_with_their_last_words() -> None:
    def replace_for_ever() -> None:
        wait_until(lambda: list(workers.replace_dead()) and False, "the workers has given up")

    with (
        Workers("sqlite:////no/such/x.db", [1]) as workers,
        pytest.raises(Error, match=r"3 workers could not go on.*there is no folder /no/such"),
    ):
        replace_for_ever()

    assert workers.members == []
