"""What holds for every test."""

import atexit
import gc
import os
import shutil
import signal
import sys
import tempfile

from hypothesis import HealthCheck, settings

from lightwork.sync.runtime_folder import VARIABLE

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile(
    "any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any-machine")

# A shell's background job ignores these (`make test &`, nohup), and so would every program
# that the tests start and then interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
for _ignored in (signal.SIGHUP, signal.SIGQUIT):
    signal.signal(_ignored, signal.SIG_DFL)

# A broker of its own for each process that runs tests, and never the one of whoever runs them.
os.environ[VARIABLE] = tempfile.mkdtemp(prefix="lightwork-test-")
atexit.register(shutil.rmtree, os.environ[VARIABLE], ignore_errors=True)


def pytest_collection_finish() -> None:
    """Let the collector never again look at the tests themselves: there are thousands."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """Say goodbye to the broker of this process, whose sockets would be left to the interpreter's end."""
    if opening := sys.modules.get("lightwork.sync.opening"):
        for host in set(opening._hosts.values()):
            if host.where == "processes":
                host.close()
