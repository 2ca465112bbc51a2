"""What docs/multiprocessing.md shows is run as it stands there, its standard form and ours."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from net.processes.serving import serving
from waiting import wait_until

pytestmark = pytest.mark.process

PAGE: Final = (Path(__file__).parents[2] / "docs" / "multiprocessing.md").read_text()
SHOWN: Final = {
    (kind, name): text
    for kind, name, text in re.findall(
        r"<!-- (standard|lightwork): (\w+) -->\n```python\n(.*?)```", PAGE, re.DOTALL
    )
}
ALONE: Final = [name for kind, name in SHOWN if kind == "standard" and "task_" not in name]
RESULTS: Final = {f"result: {n} * {n} = {n * n}" for n in range(10)}
ADDRESS: Final = "127.0.0.1:5000"


def save(folder: Path, kind: str, name: str, url: str = "") -> Path:
    """Write a program of the page into a folder, with the address of a server of this test."""
    text = SHOWN[kind, name].replace(f"http://{ADDRESS}", url or f"http://{ADDRESS}")
    # Not its own name: there are modules of the standard library that are called so.
    path = folder / (f"{name}.py" if name == "tasks" else f"shown_{name}.py")
    path.write_text(text)
    return path


@contextmanager
def running(path: Path, **environment: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a program; kill it at the end of the block if it has not ended."""
    with subprocess.Popen(
        [sys.executable, str(path)],
        cwd=path.parent,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        try:
            yield program
        finally:
            program.kill()


def printed_by(path: Path, **environment: str) -> str:
    """Return what a program prints that ends well."""
    with running(path, **environment) as program:
        out, err = program.communicate(timeout=60)
    assert program.returncode == 0, err
    return out


def test_every_example_has_both_forms() -> None:
    standard = {name for kind, name in SHOWN if kind == "standard"}

    assert standard <= {name for kind, name in SHOWN if kind == "lightwork"}
    assert len(standard) == 9


@pytest.mark.parametrize("name", ALONE)
def test_both_forms_print_the_same(tmp_path: Path, name: str) -> None:
    standard = printed_by(save(tmp_path, "standard", name))
    ours = printed_by(save(tmp_path, "lightwork", name))

    assert ours == standard
    assert ours


def test_the_standard_master_and_its_workers_print_ten_results(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    paths = [save(tmp_path, "standard", name) for name in ("task_master", "task_worker")]
    for path in paths:
        path.write_text(path.read_text().replace("5000", port))
    master, worker = paths
    with running(master) as program:
        wait_until(lambda: is_listening(int(port)), "the master serves")
        printed_by(worker)
        out, err = program.communicate(timeout=60)

    assert set(out.splitlines()) == RESULTS, err


def is_listening(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def key(tmp_path: Path) -> str:
    """Return the file of a key, made as the page says."""
    lightwork(tmp_path, "key", "new", "work.key")
    return str(tmp_path / "work.key")


def lightwork(folder: Path, *words: str) -> None:
    subprocess.run([sys.executable, "-m", "lightwork", *words], cwd=folder, check=True, timeout=60)


@contextmanager
def worker_of(folder: Path, url: str, key: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Serve the tasks of the page, as another terminal would."""
    with subprocess.Popen(
        [sys.executable, "-m", "lightwork", "worker", url, "-m", "tasks", "--lease", "2"],
        cwd=folder,
        env={**os.environ, "LIGHTWORK_AUTHKEY_FILE": key},
        stderr=subprocess.DEVNULL,
    ) as worker:
        try:
            yield worker
        finally:
            worker.kill()


def test_our_master_prints_ten_results_though_a_worker_is_killed(tmp_path: Path, key: str) -> None:
    save(tmp_path, "lightwork", "tasks")
    with serving(tmp_path, "--authkey-file", key) as (url, _):
        master = save(tmp_path, "lightwork", "master", url)
        with (
            worker_of(tmp_path, url, key) as first,
            worker_of(tmp_path, url, key),
            running(master, LIGHTWORK_AUTHKEY_FILE=key) as program,
        ):
            assert program.stdout is not None
            begun = program.stdout.readline()
            first.send_signal(signal.SIGKILL)
            # Not `communicate`: it passes by what was read ahead with the first line.
            rest = program.stdout.read()

    assert {begun.strip(), *rest.splitlines()} == RESULTS


def test_our_queues_give_back_what_a_killed_worker_had(tmp_path: Path, key: str) -> None:
    with serving(tmp_path, "--authkey-file", key) as (url, _):
        master = save(tmp_path, "lightwork", "task_master", url)
        worker = save(tmp_path, "lightwork", "task_worker", url)
        doomed = tmp_path / "doomed.py"
        hangs = 'print("taken", flush=True); import time; time.sleep(600)'
        doomed.write_text(re.sub(r"result\.put\(.*\)", hangs, worker.read_text()))
        with running(master, LIGHTWORK_AUTHKEY_FILE=key) as program:
            with running(doomed, LIGHTWORK_AUTHKEY_FILE=key) as first:
                assert first.stdout is not None
                assert first.stdout.readline() == "taken\n"
                first.send_signal(signal.SIGKILL)
            while program.poll() is None:
                printed_by(worker, LIGHTWORK_AUTHKEY_FILE=key)
            out, err = program.communicate(timeout=60)

    assert set(out.splitlines()) == RESULTS, err
