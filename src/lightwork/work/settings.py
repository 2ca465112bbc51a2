"""Settings of a worker: what a person may choose, checked before any effect."""

import os
import socket
from dataclasses import dataclass

from lightwork.errors import UsageError
from lightwork.model import DEFAULT_QUEUE


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """How a worker behaves.

    Attributes:
        queues: Names of the queues it claims from, in this order.
        name: How people call it; default: host and pid.
        lease: Seconds without a heartbeat after which others take its jobs over.
        grace: Seconds that running jobs are given to finish when it stops.
        burst: End when nothing is ready and nothing runs.
    """

    queues: tuple[str, ...] = (DEFAULT_QUEUE,)
    name: str = ""
    lease: float = 15.0
    grace: float = 25.0
    burst: bool = False

    def __post_init__(self) -> None:
        if not all(self.queues) or not self.queues:
            raise UsageError(f"queues must be names, at least one; seen: {self.queues!r}")
        if not 0.5 <= self.lease <= 3600:
            raise UsageError(f"lease must be from 0.5 to 3600 seconds; seen: {self.lease!r}")
        if not 0 <= self.grace <= 86400:
            raise UsageError(f"grace must be from 0 to 86400 seconds; seen: {self.grace!r}")

    def shown_name(self) -> str:
        """Return the name, or the default one."""
        return self.name or f"{socket.gethostname()}-{os.getpid()}"
