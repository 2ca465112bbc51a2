"""Many children within the usual allowance of descriptors."""

import sys
from pathlib import Path

import calls
import feature_calls
import pytest

from lightwork.pool.process.executor import ProcessExecutor
from waiting import wait_until

pytestmark = pytest.mark.process

WAIT = 60
# Before 3.13 every map holds a descriptor.
PER_CHILD = 4 if sys.version_info >= (3, 13) else 6


def count_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_child_costs_few_descriptors() -> None:
    with ProcessExecutor(4) as pool:
        pool.submit(calls.pid).result(WAIT)
        before = count_descriptors()
        found = [pool.submit(calls.sleep, 0.2) for _ in range(4)]
        wait_until(lambda: len(pool._pool.pids()) == 4, "four children run")
        after = count_descriptors()
        for future in found:
            future.result(WAIT)

    assert after - before == 3 * PER_CHILD


def test_a_hundred_children_work_with_their_share_of_the_usual_allowance(tmp_path: Path) -> None:
    # So 240 children fit into the usual 1024 descriptors on Python 3.13.
    done = feature_calls.run_program(
        """
        import resource, sys
        limit = 40 + 100 * int(sys.argv[2])
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        import pathlib, calls
        from waiting import wait_until
        from lightwork.pool.process.executor import ProcessExecutor
        with ProcessExecutor(100) as pool:
            found = [pool.submit(calls.wait_for, sys.argv[1], n) for n in range(100)]
            wait_until(lambda: len(pool._pool.pids()) == 100, "all children run")
            pathlib.Path(sys.argv[1]).touch()
            print(sum(future.result(60) for future in found))
        """,
        str(tmp_path / "go on"),
        str(PER_CHILD),
    )

    assert (done.stdout, done.stderr) == ("4950\n", "")
