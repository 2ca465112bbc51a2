"""A full disk is told as such, costs nothing that was acknowledged, and is over when there is room."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# Full: a small disk of the program's own, and a file beside the store that takes the rest of it;
# or a limit beyond which the kernel lets no file of the process grow.
PROGRAM = """
import os, resource, signal, subprocess, sys, uuid
from lightwork.errors import StoreUnavailable
from lightwork.lifecycle import Succeeded
from lightwork.model import Lane, NewJob, State, WorkerInfo
from lightwork.store.sqlstore import SqlStore

folder, is_disk = sys.argv[1], sys.argv[2] == "disk"
if is_disk:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], check=True)

def be_full():
    if is_disk:
        with open(f"{folder}/filler", "wb") as filler:
            filler.write(bytes(3 << 20))
    else:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))

def have_room():
    if is_disk:
        os.unlink(f"{folder}/filler")
    else:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)

def new_job(size):
    return NewJob(id=uuid.uuid4(), task="t:t", payload=bytes(size))

# Else the first write too far kills.
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
LANES = [Lane("default", "t:t")]
kept, refused = [], []
with SqlStore(f"sqlite:///{folder}/work.db") as store:
    worker = WorkerInfo(id=uuid.uuid4(), name="w", host="h", pid=1, slots=1)
    store.register(worker, lease=600)
    running = new_job(10)
    store.submit([running])
    (attempt,) = store.claim(worker.id, lanes=LANES, limit=1)
    be_full()
    for _ in range(100):
        jobs = [new_job(20_000), new_job(20_000)]
        try:
            store.submit(jobs)
            kept += jobs
        except StoreUnavailable as error:
            refused.append((jobs, str(error)))
    assert kept and refused, (len(kept), len(refused))
    word = "free some space; nothing was changed" if is_disk else "the disk reported an error"
    assert all(word in text for _, text in refused), refused[0][1]
    # Who only reads, and whose outcomes fit in, goes on or is told the same.
    assert len(store.states(job.id for job in kept)) == len(kept)
    try:
        refused_acks = store.ack(worker.id, [(attempt, Succeeded(bytes(100_000)))])
        is_recorded = True
    except StoreUnavailable:
        is_recorded = False
    have_room()
    if not is_recorded:
        assert store.ack(worker.id, [(attempt, Succeeded(bytes(100_000)))]) == []
    assert store.submit(refused[0][0]) == [True, True]
    store.submit([new_job(200_000)])
    gone = [job.id for jobs, _ in refused[1:] for job in jobs]
    assert store.states(gone) == {}
    assert store.check() == []
    print(store.summary().states[State.READY] - len(kept) - 3)
"""


def may_mount() -> bool:
    words = ["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return (
        shutil.which("unshare") is not None
        and subprocess.run(words, check=False, capture_output=True).returncode == 0
    )


@pytest.mark.parametrize("how", ["disk", "limit"])
def test_a_disk_that_is_full_costs_no_job_and_is_told(tmp_path: Path, how: str) -> None:
    if how == "disk" and not may_mount():
        pytest.skip("this user may mount no small disk")
    within = ["unshare", "-m"] if how == "disk" else []

    done = subprocess.run(
        [*within, sys.executable, "-c", PROGRAM, str(tmp_path), how],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert (done.stdout, done.stderr) == ("0\n", "")
