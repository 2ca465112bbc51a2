"""A line that goes dead without a word ends the call that waits on it, soon."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable

import pytest

from store import half_open
from store.private_servers import PrivateServer

pytestmark = pytest.mark.process


def may_make_networks() -> bool:
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return False
    return subprocess.run(["unshare", "-n", "true"], check=False, stderr=-3).returncode == 0


@pytest.mark.skipif(not may_make_networks(), reason="this user may make no network namespace")
@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_call_on_a_line_that_has_gone_dead_ends(
    private: Callable[[str], PrivateServer], kind: str
) -> None:
    server = private(kind)
    with server.database() as url:
        done = subprocess.run(
            ["unshare", "-n", sys.executable, half_open.__file__, server.by_socket(url)],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    assert done.returncode == 0, done.stderr
    # With the patience that it is given there: after some five seconds.
    assert "cannot be reached" in done.stdout
