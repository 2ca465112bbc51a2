"""What a program imports for its first call on processes, and what before its fork server starts."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.process

FIRST_CALL = """
import sys
import lightwork as lw
with lw.executor("processes:1") as ex:
    ex.submit(abs, -1).result(60)
print(*sys.modules)
"""
LAUNCH = """
import sys
before = set(sys.modules)
import lightwork.executors
print(*(set(sys.modules) - before))
"""
# Each takes 2 to 60 ms, and none is needed where nothing fails, maps, awaits or goes by value.
LATE = {
    *(
        "asyncio",
        "multiprocessing",
        "ssl",
        "subprocess",
        "socket",
        "selectors",
        "ctypes",
        "inspect",
    ),
    *("dataclasses", "pathlib", "hashlib", "uuid", "random", "difflib", "cloudpickle", "rich"),
    *("concurrent.futures.process", "concurrent.futures.thread", "lightwork.late_errors"),
    *(
        "lightwork.model",
        "lightwork.tasks",
        "lightwork.tasks.task",
        "lightwork.tasks.names",
        "lightwork.lifecycle",
        "lightwork.by_value.bindings",
    ),
    *("lightwork.pool.map.mapping", "lightwork.pool.thread.executor"),
}


def modules_of(program: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120
    )
    return set(done.stdout.split())


def test_a_program_imports_for_its_first_call_only_what_that_needs() -> None:
    loaded = modules_of(FIRST_CALL)

    assert "lightwork.pool.process.executor" in loaded
    assert LATE & loaded == set()


def test_next_to_nothing_is_imported_before_the_fork_server_starts() -> None:
    added = modules_of(LAUNCH)

    # What the standard library's modules in C need themselves is theirs.
    foreign = {name for name in added if not name.startswith(("lightwork", "_", "importlib"))}
    assert foreign <= {"warnings", "struct", "atexit", "types"}
