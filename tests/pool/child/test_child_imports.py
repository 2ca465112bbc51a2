"""What a fork server and its children have imported: a list, so that it grows only on purpose."""

import subprocess
import sys
from typing import Final

import pytest

from lightwork.pool.process.executor import ProcessExecutor

pytestmark = pytest.mark.process

WAIT = 30
LIST_MODULES = "' '.join(sorted(__import__('sys').modules))"

LIGHTWORK: Final = [
    "lightwork",
    "lightwork.by_value",
    "lightwork.by_value.dumping",
    "lightwork.error_text",
    "lightwork.locks",
    "lightwork.locks.owned_lock",
    "lightwork.pool",
    "lightwork.pool.call",
    "lightwork.pool.call.current",
    "lightwork.pool.call.process_state",
    "lightwork.pool.call.hooks",
    "lightwork.pool.call.thread_exit",
    "lightwork.pool.child",
    "lightwork.pool.child.code_on_disk",
    "lightwork.pool.child.exchange",
    "lightwork.pool.child.fork_server",
    "lightwork.pool.child.main",
    "lightwork.pool.child.multiprocessing_identity",
    "lightwork.pool.child.fork_protocol",
    "lightwork.pool.memory",
    "lightwork.pool.memory.control_block",
    "lightwork.pool.memory.free_list",
    "lightwork.pool.memory.inbox",
    "lightwork.pool.memory.large_value",
    "lightwork.pool.memory.outbox",
    "lightwork.pool.memory.result_arena",
    "lightwork.pool.memory.sending",
    "lightwork.pool.memory.shared_mmap",
    "lightwork.pool.wire",
    "lightwork.pool.wire.dump_exception",
    "lightwork.pool.wire.frames",
    "lightwork.pool.wire.function_cache",
    "lightwork.pool.wire.pickling",
    "lightwork.pool.wire.rebuild_exception",
    "lightwork.pool.wire.ref",
    "lightwork.pool.wire.ref_child",
    "lightwork.pool.wire.spawn_fds",
]
# With the first bundle of a map.
BUNDLES: Final = [
    "lightwork.pool.map",
    "lightwork.pool.map.bundle",
    "lightwork.pool.wire.display_name",
]
# With the first trial of one.
TRIALS: Final = [*BUNDLES, "lightwork.pool.map.trial"]
# Of those below, what is needed.
ALLOWED: Final = [
    "ctypes",
    "pickle",
    "re",
    "threading",
    "typing",
]
# What takes a millisecond or more to import, and what others might pull in.
HEAVY: Final = {
    *ALLOWED,
    *("alembic", "click", "cloudpickle", "msgspec", "numpy", "psutil", "rich", "sqlalchemy"),
    *("asyncio", "concurrent", "dataclasses", "datetime", "decimal", "difflib", "email", "hashlib"),
    *("http", "inspect", "json", "logging", "multiprocessing", "pathlib", "platform", "queue"),
    *("random", "shutil", "sqlite3", "ssl", "statistics", "subprocess", "tempfile", "unittest"),
    *("selectors", "socket", "traceback", "urllib", "uuid", "zipfile"),
}
ADVICE: Final = (
    "what a fork server or child imports has changed. Every child pays for it, with time and "
    "memory, and what starts a thread breaks the fork. If it is not needed there, move it into "
    "a module of the pool's side, or import it on first use (LATE_IMPORTS of tests/structure.py). "
    "If it is needed, write it into the lists of this file, and its milliseconds into the commit"
)


def check(modules: str, *more: str) -> None:
    found = modules.split()
    heavy = HEAVY.intersection(name.partition(".")[0] for name in found)
    seen = heavy.union(name for name in found if name.partition(".")[0] == "lightwork")
    listed = {*LIGHTWORK, *ALLOWED, *more}
    assert seen == listed, f"{ADVICE}.\nnew: {sorted(seen - listed)}; gone: {sorted(listed - seen)}"


@pytest.fixture(autouse=True)
def _without_managers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no managers in this process: children would be given its key, and import it for that."""
    monkeypatch.delitem(sys.modules, "multiprocessing.managers", raising=False)


def test_a_fork_server_imports_only_what_is_listed() -> None:
    program = f"import lightwork.pool.child.fork_server; print({LIST_MODULES})"

    done = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True
    )

    check(done.stdout)


def test_a_child_that_runs_plain_calls_imports_nothing_more(single: ProcessExecutor) -> None:
    single.submit(len, bytes(1 << 20)).result(WAIT)
    single.submit(bytes, 1 << 20).result(WAIT)
    single.submit(divmod, 1, 0).exception(WAIT)

    modules = single.submit(eval, LIST_MODULES).result(WAIT)

    # The error has brought it.
    check(modules, "traceback")


def test_a_child_that_runs_bundles_of_a_map_imports_little_more(single: ProcessExecutor) -> None:
    list(single.map(abs, range(100), chunksize=1))

    modules = single.submit(eval, LIST_MODULES).result(WAIT)

    check(modules, *BUNDLES)


def test_a_child_that_runs_trials_of_a_map_imports_little_more(single: ProcessExecutor) -> None:
    list(single.map(abs, range(100)))

    modules = single.submit(eval, LIST_MODULES).result(WAIT)

    check(modules, *TRIALS)
