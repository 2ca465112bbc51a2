"""A busy machine: more processes that never wait than there are cores.

What is right only because everybody gets the processor in time shows there. The
processes are bounded: each ends when its parent is gone, or after SECONDS_MAX.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# No test may take so long.
SECONDS_MAX: Final = 300
_SPIN: Final = f"""
import os, time
end, parent = time.monotonic() + {SECONDS_MAX}, os.getppid()
while time.monotonic() < end and os.getppid() == parent:
    for _ in range(10_000):
        pass
"""


@contextmanager
def busy_machine(more: int = 2) -> Iterator[None]:
    """Keep every core busy with a process, and so many processes more."""
    spinning = [
        subprocess.Popen([sys.executable, "-S", "-c", _SPIN])
        for _ in range(len(os.sched_getaffinity(0)) + more)
    ]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
        for process in spinning:
            process.wait()
