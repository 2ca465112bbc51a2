"""Several programs on one database, started, forked and killed."""

import subprocess
import sys

import pytest

from lightwork.store.sqlstore import SqlStore

pytestmark = pytest.mark.process

OPEN = """
import sys
from lightwork.store.sqlstore import SqlStore
sys.stdin.readline()
with SqlStore(sys.argv[1]) as store:
    print(store.summary().running, flush=True)
"""
FORK = """
import gc, os, sys, uuid
from lightwork.errors import StoreError
from lightwork.model import NewJob
from lightwork.store.sqlstore import SqlStore

def submit(store):
    return store.submit([NewJob(id=uuid.uuid4(), task="t:t", payload=b"")])

with SqlStore(sys.argv[1]) as store:
    submit(store)
    store.wait_for_change(-1, 0)
    child = os.fork()
    if child == 0:
        try:
            submit(store)
        except StoreError as error:
            assert "before this process was forked; open it again" in str(error), error
        else:
            raise AssertionError("a child used its parent's connection")
        store.close()
        with SqlStore(sys.argv[1]) as mine:
            submit(mine)
        del store
        gc.collect()
        sys.exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    for _ in range(5):
        submit(store)
    print(sum(lane.ready for lane in store.summary().lanes))
"""


def child(code: str, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_programs_that_open_a_new_database_at_once_all_succeed(url: str) -> None:
    openers = [child(OPEN, url) for _ in range(4)]

    for opener in openers:
        assert opener.stdin is not None
        opener.stdin.write("go\n")
        opener.stdin.flush()

    assert [opener.communicate(timeout=60) for opener in openers] == [("0\n", "")] * 4
    with SqlStore(url) as store:
        assert store.check() == []


def test_a_forked_child_leaves_its_parents_connections_alone(url: str) -> None:
    with child(FORK, url) as parent:
        assert parent.communicate(timeout=60) == ("7\n", "")
