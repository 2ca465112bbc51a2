"""What holds for every test."""

import gc
import signal

from hypothesis import HealthCheck, settings

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


def pytest_collection_finish() -> None:
    """Let the collector never again look at the tests themselves: there are thousands."""
    gc.collect()
    gc.freeze()
