"""`lightwork db stats`, `backup` and `copy`."""

import json
import stat
import threading
from contextlib import closing
from pathlib import Path

import pytest

from cli.conftest import Invoke
from cli.jobs_made import Made
from lightwork.model import State
from lightwork.store.contract import Store
from lightwork.store.sqlstore import open_store


def test_stats_tells_rows_bytes_and_the_largest(lightwork: Invoke, made: Made) -> None:
    made.ready("x" * 5000)
    made.failed()

    shown = lightwork("db", "stats")
    found = json.loads(lightwork("db", "stats", "--json").stdout)

    assert (shown.exit_code, shown.stdout.splitlines()[2].split("\t")[:2]) == (0, ["TABLE", "ROWS"])
    assert "largest payloads of the newest jobs\n  job 1\tscript:square\t5.0" in shown.stdout
    assert {table["name"]: table["rows"] for table in found["tables"]}["job"] == 2


def test_a_backup_is_a_whole_store_taken_while_others_write(
    lightwork: Invoke, made: Made, store: Store, folder: Path
) -> None:
    (folder / "lightwork.db").chmod(0o640)
    ids = [made.failed(), made.ready("x" * 100_000)]
    go_on = threading.Event()
    writer = threading.Thread(
        target=lambda: [made.ready() for _ in range(200) if not go_on.is_set()]
    )
    writer.start()

    done = lightwork("db", "backup", "copy.db", "--json")
    go_on.set()
    writer.join()

    assert done.exit_code == 0
    assert stat.S_IMODE((folder / "copy.db").stat().st_mode) == 0o640
    with closing(open_store(f"sqlite:///{folder}/copy.db", create=False)) as copy:
        assert copy.check() == []
        assert {job_id: store.states([job_id]) for job_id in ids} == {
            job_id: copy.states([job_id]) for job_id in ids
        }
    assert not (folder / "copy.db.part").exists()


def test_a_backup_into_a_folder_that_is_not_there_is_refused(lightwork: Invoke, made: Made) -> None:
    made.ready()

    done = lightwork("db", "backup", "nowhere/copy.db")

    assert done.exit_code == 2
    assert "no backup can be written to nowhere/copy.db: No such file or directory" in done.output


def test_a_backup_overwrites_nothing(lightwork: Invoke, made: Made, folder: Path) -> None:
    made.ready()
    (folder / "copy.db").write_text("mine")

    done = lightwork("db", "backup", "copy.db")

    assert (done.exit_code, (folder / "copy.db").read_text()) == (2, "mine")
    assert "is there already" in done.stderr


@pytest.mark.parametrize(
    ("url", "program"),
    [
        (
            "postgresql+psycopg://ada:secret@db:5432/work?sslmode=require",
            "pg_dump --format=custom --file=copy.db postgresql://ada@db:5432/work (",
        ),
        (
            "mysql+pymysql://ada:secret@db/work",
            "mariadb-dump --single-transaction --host=db --user=ada -p work > copy.db",
        ),
    ],
)
def test_of_a_server_it_says_which_program_to_call_and_no_password(
    lightwork: Invoke, url: str, program: str
) -> None:
    done = lightwork("db", "backup", "copy.db", url)

    assert done.exit_code == 2
    assert program in done.stderr
    assert "secret" not in done.stderr


def test_a_copy_holds_the_same_and_says_so(
    lightwork: Invoke, made: Made, store: Store, folder: Path
) -> None:
    ids = [made.failed(), made.ready(), made.retried()]
    for worker in store.workers():
        store.sign_off(worker.id)
    here, there = "sqlite:///lightwork.db", "sqlite:///copy.db"

    first = lightwork("db", "copy", here, there)
    again = lightwork("db", "copy", here, there, "--json")

    assert first.exit_code == 0
    assert "each the same on both sides" in first.stdout
    assert "start workers on one of them only" in first.stderr
    assert json.loads(again.stdout)["tables"][0]["rows"] == 3
    with closing(open_store(f"sqlite:///{folder}/copy.db", create=False)) as copy:
        assert copy.states(ids) == store.states(ids)


def test_a_copy_from_a_store_with_a_live_worker_is_refused(
    lightwork: Invoke, made: Made, store: Store
) -> None:
    job_id = made.running()

    done = lightwork("db", "copy", "sqlite:///lightwork.db", "sqlite:///copy.db")

    assert done.exit_code == 2
    assert "live workers (ada)" in done.stderr
    assert store.states([job_id]) == {job_id: State.RUNNING}
