"""A server on one host, workers and submitters on another: what becomes of jobs when something between them fails.

On namespaces of the network, where this process may make some; over a proxy in the long form (`make chaos`).
"""

import os
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from chaos.conftest import IS_LONG
from chaos.hosts import Hosts, NamespaceHosts, ProxyHosts, hosts_of
from lightwork.codec import Codec, Subject
from lightwork.durable.ids import new_job_id
from lightwork.model import NewJob, State
from lightwork.store.sqlstore import SqlStore
from lightwork.store.views import JobView
from waiting import wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.process]

KINDS: list[type[Hosts]] = [NamespaceHosts, *[ProxyHosts] * IS_LONG]
# How long a fault lasts is the input: much shorter than this lease.
MOMENT = 0.3
LEASE = 10.0


@pytest.fixture(params=KINDS)
def hosts(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Hosts]:
    with hosts_of(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def store(hosts: Hosts) -> Iterator[SqlStore]:
    """The store itself, as whoever is beside the server sees it."""
    with SqlStore(hosts.database) as opened:
        yield opened


def submitted(store: SqlStore, number: int = 1) -> uuid.UUID:
    subject = Subject(new_job_id(), "script:hold")
    payload = Codec().encode_call(subject, (number,), {})
    store.submit([NewJob(id=subject.job_id, task=subject.task, payload=payload)])
    return subject.job_id


def view_of(store: SqlStore, job_id: uuid.UUID) -> JobView:
    view = store.job(job_id)
    assert view is not None
    return view


def has_ended(store: SqlStore, job_id: uuid.UUID) -> bool:
    return view_of(store, job_id).state is State.SUCCEEDED


@contextmanager
def answers_lost(hosts: Hosts) -> Iterator[None]:
    """Let what the block asks be done by the server while its answer cannot pass.

    Whoever holds the database lets the server begin, and not end, before the cable is cut. A request that
    has not come so far by then is lost itself, which must be as good.
    """
    path = hosts.here / "work.db"
    with closing(sqlite3.connect(path, isolation_level=None, timeout=20)) as holding:
        holding.execute("begin immediate")
        yield
        time.sleep(MOMENT)
        hosts.cut()
        holding.execute("rollback")
    time.sleep(MOMENT)
    hosts.mend()


def test_a_cable_that_is_cut_during_a_submit_and_an_ack_costs_nothing(
    hosts: Hosts, store: SqlStore
) -> None:
    hosts.serve()
    submitter = hosts.submit()
    job_id = uuid.uuid4()
    assert submitter.stdin is not None

    with answers_lost(hosts):
        submitter.stdin.write(f"{job_id}\n")
        submitter.stdin.flush()
    assert submitter.wait(90) == 0, hosts.said(submitter)
    hosts.work(lease=LEASE)
    wait_until(lambda: hosts.runs(hosts.there), "the job to run")
    wait_until(lambda: view_of(store, job_id).has_begun, "the store to know it")
    with answers_lost(hosts):
        (hosts.there / "end").touch()
    wait_until(lambda: has_ended(store, job_id), "the end of the job", within=60)

    assert [job.id for job in store.jobs()] == [job_id]
    assert hosts.runs(hosts.there) == [1]
    view = view_of(store, job_id)
    assert (view.attempt, view.crashes, view.failures) == (1, 0, 0)
    assert store.check() == []


def test_a_cable_that_is_cut_during_a_claim_costs_no_job(hosts: Hosts, store: SqlStore) -> None:
    hosts.serve()
    (hosts.there / "end").touch()
    worker = hosts.work(lease=LEASE)
    wait_until(store.workers, "the worker to be known")

    ids = []
    for number in range(3):
        ids.append(submitted(store, number))
        with answers_lost(hosts):
            pass
    wait_until(lambda: all(has_ended(store, one) for one in ids), "the end of all", within=60)

    assert worker.poll() is None
    views = [view_of(store, job_id) for job_id in ids]
    # What a claim has brought and nobody heard of is claimed again, and blamed on no job.
    assert {(view.crashes, view.failures) for view in views} == {(0, 0)}
    assert sorted(hosts.runs(hosts.there)) == [0, 1, 2]
    assert store.check() == []


def test_a_cable_that_is_cut_for_longer_than_a_lease_lets_others_run_the_job(
    hosts: Hosts, store: SqlStore
) -> None:
    hosts.serve()
    far = hosts.work()
    job_id = submitted(store)
    wait_until(lambda: view_of(store, job_id).has_begun, "the job to run there")

    hosts.cut()
    hosts.work(is_far=False)
    wait_until(lambda: hosts.runs(hosts.here), "the job to be rescued", within=60)
    (hosts.there / "end").touch()
    (hosts.here / "end").touch()
    wait_until(lambda: has_ended(store, job_id), "its end here")
    outcome = view_of(store, job_id)
    hosts.mend()
    wait_until(lambda: "worker lease lost" in hosts.said(far), "the late one to be told", within=60)

    assert (outcome.attempt, outcome.crashes) == (2, 1)
    further = submitted(store, 2)
    wait_until(lambda: has_ended(store, further), "another job", within=60)
    assert view_of(store, job_id) == outcome
    assert store.check() == []


def test_a_server_that_is_killed_and_a_host_that_is_gone(hosts: Hosts, store: SqlStore) -> None:
    server = hosts.serve()
    worker = hosts.work(lease=3.0)
    job_id = submitted(store)
    wait_until(lambda: view_of(store, job_id).has_begun, "the job to run there")

    server.kill()
    server.wait()
    hosts.serve()
    (before,) = store.workers()
    wait_until(lambda: [one.claims for one in store.workers()], "it to go on")
    hosts.lose()
    worker.wait()
    hosts.work(is_far=False)
    (hosts.here / "end").touch()
    wait_until(lambda: has_ended(store, job_id), "its end here", within=60)

    view = view_of(store, job_id)
    assert (hosts.runs(hosts.there), hosts.runs(hosts.here)) == ([1], [1])
    assert (view.attempt, view.crashes) == (2, 1)
    assert before.id not in [one.id for one in store.workers()]
    assert store.check() == []


def test_in_ci_what_is_not_tested_without_namespaces_is_told(tmp_path: Path) -> None:
    name = "test_a_cable_that_is_cut_during_a_claim_costs_no_job[NamespaceHosts]"
    words = ["-rs", "-p", "no:cacheprovider", f"--basetemp={tmp_path}/x", f"{__file__}::{name}"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        # Where there is no program `ip`.
        env=os.environ | {"CI": "true", "PATH": str(tmp_path)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    (told,) = [line for line in done.stdout.splitlines() if line.startswith("SKIPPED [1]")]
    assert "CI=true AND NOT TESTED: what becomes of jobs when a cable" in told
    assert "no program `ip`" in told
    assert done.returncode == 0
