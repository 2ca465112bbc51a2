"""Attached: a worker process that ends when the demo ends, whatever ended the demo.

Its standard input is a pipe whose other end only the demo holds. One line comes
through it: what to do. Then nothing, until the kernel closes it: the demo has
closed it or is gone, even by SIGKILL. The worker then hands back what it holds,
signs off and ends.
"""

import json
import logging
import os
import sys
import threading
from dataclasses import asdict, dataclass
from typing import Final

from lightwork.cli.demo.tasks import QUEUE, measure
from lightwork.work.service import Worker

_INPUT: Final = 0
# Seconds; short, so that the rescue can be watched.
LEASE: Final = 2.0


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker process is told: not by its arguments, because a URL may hold a password."""

    url: str
    name: str
    slots: int

    def line(self) -> bytes:
        """Return the line that says it."""
        return json.dumps(asdict(self)).encode() + b"\n"


def program() -> list[str]:
    """Return the command that starts a worker process; it finds this package as we did."""
    code = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import main; main()"
    return [sys.executable, "-c", code]


def main() -> None:
    """Work as the first line of the input says, until the input ends."""
    # Standard error is shown only if this process fails: log lines are not for it.
    logging.getLogger("lightwork").addHandler(logging.NullHandler())
    order = Order(**json.loads(_read_line()))
    worker = Worker(
        order.url,
        executor=f"processes:{order.slots}",
        queues=(QUEUE,),
        tasks=(measure,),
        name=order.name,
        lease=LEASE,
    )
    threading.Thread(target=_stop_at_end_of_input, args=(worker,), daemon=True).start()
    worker.run()


def _read_line() -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        data = os.read(_INPUT, 65536)
        if not data:
            sys.exit(0)
        line += data
    return line


def _stop_at_end_of_input(worker: Worker) -> None:
    # Not sys.stdin: a thread that waits in it would break the interpreter's exit.
    while os.read(_INPUT, 1):
        pass
    # Twice is at once: jobs are short, and somebody wants their terminal back.
    worker.stop()
    worker.stop()
