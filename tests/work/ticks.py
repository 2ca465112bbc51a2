"""A task that comes every second, and when it was due."""

from datetime import datetime

from lightwork.pool.call.current import current
from work.jobs import ran

told: list[datetime | None] = []


def tick() -> None:
    ran.append(1)
    told.append(current().due_at)
