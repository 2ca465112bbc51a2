"""A server, workers and programs as people start them."""

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import create_engine

import lightwork as lw
from cli.runs import SCRIPT, run, start
from lightwork.codec import Codec, Subject
from lightwork.durable.ids import new_job_id
from lightwork.errors import AuthError, StoreError, UsageError
from lightwork.model import NewJob, State
from lightwork.net.client.client import ServerStore
from lightwork.net.opening import open_store
from net.processes.serving import port_of, serving
from waiting import wait_until

pytestmark = pytest.mark.process


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "script.py").write_text(SCRIPT)
    return tmp_path


def test_a_job_goes_through_a_server_as_through_a_database(folder: Path) -> None:
    with (
        serving(folder) as (url, _),
        start("worker", url, "-m", "script", "-j", "1", folder=folder) as worker,
    ):
        done = run("submit", url, "script:square", "20", "--wait", folder=folder)
        listed = run("jobs", url, folder=folder)
        health = run("status", url, folder=folder)
        worker.terminate()
        worker.communicate(timeout=30)

    assert (done.stdout, done.returncode) == ("400\n", 0)
    assert "script:square" in listed.stdout
    assert (health.returncode, f"store    {url}" in health.stdout) == (0, True)
    assert worker.returncode == 0


def test_one_command_is_a_whole_master(folder: Path) -> None:
    with serving(folder, "--workers", "1", "-m", "script") as (url, server):
        done = run("submit", url, "script:square", "4", "--wait", folder=folder)
        server.terminate()
        server.communicate(timeout=30)

    assert done.stdout == "16\n"
    assert server.returncode == 0
    with open_store(f"sqlite:///{folder}/work.db") as store:  # type: ignore[attr-defined]
        assert store.workers() == []


def test_a_worker_inside_does_not_outlive_its_server(folder: Path) -> None:
    with (
        serving(folder, "--workers", "1", "-m", "script") as (_, server),
        open_store(f"sqlite:///{folder}/work.db") as store,  # type: ignore[attr-defined]
    ):
        wait_until(store.workers, "the worker has begun")
        server.kill()
        wait_until(lambda: not store.workers(), "the worker has ended")


def test_a_worker_inside_that_can_never_run_ends_the_server(folder: Path) -> None:
    with start(
        *("serve", "sqlite:///work.db", "--bind", "127.0.0.1:0", "--workers", "1", "-m", "nowhere"),
        folder=folder,
    ) as server:
        _, errors = server.communicate(timeout=60)

    assert server.returncode == 2
    assert "nowhere" in errors


def test_a_server_that_is_killed_and_started_again_loses_nothing(folder: Path) -> None:
    with (
        serving(folder) as (url, server),
        ServerStore(url) as store,
        start("worker", url, "-m", "script", "-j", "2", folder=folder) as worker,
    ):
        ids = _submitted(url, 200)
        wait_until(lambda: store.summary().states[State.SUCCEEDED] > 10, "some are done")
        server.kill()
        server.wait()
        with serving(folder, port=port_of(url)) as (again, _):
            wait_until(lambda: _count(store) == len(ids), "all are done", within=60)
            outcomes, problems = store.outcomes(ids), store.check()
            worker.terminate()
            worker.communicate(timeout=30)

    assert again == url
    assert [outcome.state for outcome in outcomes.values()] == [State.SUCCEEDED] * 200
    assert problems == []
    assert worker.returncode == 0


def _submitted(url: str, count: int) -> list[UUID]:
    jobs = []
    for number in range(count):
        subject = Subject(new_job_id(), "script:square")
        payload = Codec().encode_call(subject, (number,), {})
        jobs.append(NewJob(id=subject.job_id, task=subject.task, payload=payload))
    with open_store(url) as store:  # type: ignore[attr-defined]
        store.submit(jobs)
    return [job.id for job in jobs]


def _count(store: ServerStore) -> int:
    try:
        return store.summary().states[State.SUCCEEDED]
    except StoreError:
        # It is being started.
        return -1


def test_an_executor_waits_for_its_server_to_come_back(folder: Path) -> None:
    program = (
        "import sys, script, lightwork as lw\n"
        "with lw.executor(sys.argv[1], workers=1) as ex:\n"
        "    ex.submit(script.greet, 'here').result()\n"
        "    print('ready', flush=True); input()\n"
        "    print(sum(ex.submit(script.square, n).result(60) for n in range(4)))\n"
    )
    with (
        serving(folder) as (url, server),
        subprocess.Popen(
            [sys.executable, "-c", program, url],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as running,
    ):
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        server.kill()
        server.wait()
        with serving(folder, port=port_of(url)):
            said, _ = running.communicate("\n", timeout=60)

    assert said == "14\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_twenty_parked_polls_hold_up_no_end(folder: Path, number: int) -> None:
    with serving(folder) as (url, server):
        clients = [open_store(url) for _ in range(20)]
        for client in clients:
            client.wait_for_change(client.changes(), 0.01)
        began = time.monotonic()
        server.send_signal(number)
        server.communicate(timeout=30)
        took = time.monotonic() - began
        for client in clients:
            client.close()

    assert server.returncode == 0
    # Two seconds, and what a machine busier than its cores takes to end a process.
    assert took < 4


def test_another_address_needs_a_key(folder: Path) -> None:
    done = run("serve", "sqlite:///work.db", "--bind", "0.0.0.0:0", folder=folder)

    assert done.returncode == 2
    assert "lightwork key new" in done.stderr
    assert not (folder / "work.db").exists()


def test_a_port_that_is_taken_is_told(folder: Path) -> None:
    with serving(folder) as (url, _):
        done = run("serve", "sqlite:///x.db", "--bind", url.removeprefix("http://"), folder=folder)

    assert (done.returncode, "in use" in done.stderr) == (3, True)


def test_a_server_is_not_served_again(folder: Path) -> None:
    done = run("serve", "http://127.0.0.1:5000", folder=folder)

    assert (done.returncode, "offered already" in done.stderr) == (2, True)


def test_verbs_that_need_the_database_say_so_and_the_doctor_looks_at_the_server(
    folder: Path,
) -> None:
    with serving(folder) as (url, _):
        refused = run("db", "upgrade", url, folder=folder)
        looked = run("doctor", url, folder=folder)
    gone = run("doctor", url, folder=folder)

    assert (refused.returncode, "database itself" in refused.stderr) == (2, True)
    assert f"{url} reached in" in looked.stdout
    assert "lightwork serve" in gone.stdout


def test_what_is_not_installed_is_named_with_its_extra(folder: Path) -> None:
    hiding = (
        "import sys; sys.modules['httptools'] = None\n"
        "from lightwork.cli.serve.command import _check_extra\n"
        "_check_extra()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", hiding], check=False, capture_output=True, text=True
    )

    assert "pip install 'lightwork[server]'" in done.stderr


def test_who_has_no_key_or_another_is_refused(folder: Path) -> None:
    run("key", "new", "a.key", folder=folder)
    run("key", "new", "b.key", folder=folder)
    run("key", "derive", "--role", "view", "--name", "wall", "--authkey-file", "a.key",
        "--output", "view.key", folder=folder)  # fmt: skip
    key, other, view = (
        (folder / name).read_bytes().strip() for name in ("a.key", "b.key", "view.key")
    )
    assert stat.S_IMODE((folder / "a.key").stat().st_mode) == 0o600

    with serving(folder, "--authkey-file", "a.key") as (url, _):
        for wrong in (b"", other):
            with pytest.raises(AuthError):
                open_store(url, authkey=wrong)
        with open_store(url, authkey=view) as looking:  # type: ignore[attr-defined]
            assert looking.jobs() == []
            with pytest.raises(AuthError, match="role view"):
                looking.pause("default")
        with lw.executor(url, authkey=key) as ex:
            assert ex.store.stats().tables


def test_tls_with_a_certificate_of_ones_own_is_proved_by_the_key(folder: Path) -> None:
    _make_certificate(folder)
    run("key", "new", "a.key", folder=folder)
    key = (folder / "a.key").read_bytes().strip()
    tls = ["--authkey-file", "a.key", "--tls-cert", "cert.pem", "--tls-key", "key.pem"]

    with serving(folder, *tls) as (url, _):
        assert url.startswith("https://")
        with open_store(url, authkey=key) as store:  # type: ignore[attr-defined]
            assert store.jobs() == []
            pid = os.fork()
            if not pid:
                status = 1
                try:
                    status = 0 if store.jobs() == [] else 2
                finally:
                    os._exit(status)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
            # The parent's session has heard nothing of it.
            assert store.jobs() == []
        # Nobody vouches for it to who has no key.
        with pytest.raises(StoreError):
            ServerStore(url)


def _make_certificate(folder: Path) -> None:
    made = subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
            ),
            *("-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2"),
            *("-subj", "/CN=lightwork"),
        ],
        check=False,
        cwd=folder,
        capture_output=True,
    )
    if made.returncode:
        pytest.skip("no openssl to make a certificate with")


def test_a_job_that_is_part_of_a_transaction_waits_for_a_worker_of_the_database(
    folder: Path,
) -> None:
    (folder / "script.py").write_text(
        "import lightwork as lw\n"
        "@lw.task(transaction=True)\n"
        "def write(session) -> int: return 1\n"
        "@lw.task\n"
        "def plain() -> int: return 2\n"
    )
    with serving(folder) as (url, _):
        run("submit", url, "script:write", folder=folder)
        run("submit", url, "script:plain", folder=folder)
        done = run("worker", url, "-m", "script", "-j", "1", "--burst", folder=folder)
        with open_store(url) as store:  # type: ignore[attr-defined]
            states = {job.task: job.state for job in store.jobs()}

    assert done.returncode == 0
    assert states == {"script:write": State.READY, "script:plain": State.SUCCEEDED}


def test_a_transaction_of_ones_own_needs_the_database(folder: Path) -> None:
    with serving(folder) as (url, _), lw.executor(url, workers=0) as ex:
        engine = create_engine(f"sqlite:///{folder}/work.db")
        with engine.connect() as connection, pytest.raises(UsageError, match="is a server"):
            ex.store.submit_on(connection, [])
        engine.dispose()
