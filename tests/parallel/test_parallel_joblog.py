"""What a joblog keeps, and what it lets a later map skip."""

from pathlib import Path

import pytest

from lightwork.errors import UsageError
from lightwork.parallel.joblog import HEADER, Joblog, format_line, parse_done, read_done
from lightwork.parallel.jobs import End, MapJob, Output


def ended(seq: int, *, status: int = 0, signal: int = 0, command: str = "true") -> End:
    return End(
        job=MapJob(seq, ("x",)),
        command=command,
        status=status,
        signal=signal,
        started_at=1700000000.25,
        seconds=1.5,
        stdout=Output(b"said"),
        stderr=Output(),
    )


LOG = HEADER + "".join(
    map(format_line, [ended(1), ended(2, status=3), ended(3, status=-1, signal=15), ended(4)])
)


def test_a_line_has_the_columns_of_gnu_parallel() -> None:
    line = format_line(ended(7, status=3, command="a\tb\nc"))

    assert line == "7\t:\t1700000000.250\t     1.500\t0\t4\t3\t0\ta\tb\\nc\n"


@pytest.mark.parametrize(("failed_too", "expected"), [(True, {1, 2, 3, 4}), (False, {1, 4})])
def test_done_jobs_are_found(failed_too: bool, expected: set[int]) -> None:
    assert parse_done(LOG, failed_too=failed_too) == expected


def test_the_last_line_of_a_job_counts() -> None:
    text = LOG + format_line(ended(2)) + format_line(ended(4, status=1))

    assert parse_done(text, failed_too=False) == {1, 2}


def test_a_line_that_was_cut_is_no_line() -> None:
    text = LOG + "5\t:\t1700000000.250\t     1.500\t0\t4\t0\t0\ttru"

    assert parse_done(text, failed_too=True) == {1, 2, 3, 4}


def test_a_line_after_one_that_was_cut_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text(LOG + "5\t:\t17000")

    log = Joblog(str(path), keep=True)
    log.add(ended(6))
    log.close()

    assert read_done(str(path), failed_too=True) == {1, 2, 3, 4, 6}


def test_a_new_map_begins_a_new_log(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text(LOG)

    Joblog(str(path), keep=False).close()

    assert path.read_text() == HEADER


@pytest.mark.parametrize("keep", [True, False])
def test_a_file_that_is_no_joblog_is_not_touched(tmp_path: Path, keep: bool) -> None:
    path = tmp_path / "thesis.tex"
    path.write_text("Sequoia")

    with pytest.raises(UsageError, match="holds something else"):
        Joblog(str(path), keep=keep)

    assert path.read_text() == "Sequoia"


def test_a_log_that_is_not_there_yet_says_that_nothing_is_done(tmp_path: Path) -> None:
    assert 1 not in read_done(str(tmp_path / "log"), failed_too=True)


def test_reading_what_is_no_joblog_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("1\t:\t0\t0\t0\t0\t0\t0\tx\n")

    with pytest.raises(UsageError, match="holds something else"):
        read_done(str(tmp_path / "log"), failed_too=True)


def test_a_log_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        Joblog(str(tmp_path / "no" / "log"), keep=False)
