"""Sides: who takes part, and over what."""

from durable.sides import Side

KEYED = "keyed"
SERVED = "served"
_DIRECT = "the store used directly by submitter and workers"
_HTTP = "`lightwork serve` on this machine, {}; submitter and workers use its URL"
_OPEN = _HTTP.format("without a key")
_QUEUES = "a manager's process with a task and a result queue, two worker processes; nothing is kept, nothing isolated"

_ALL = (
    Side("direct SQLite", "lightwork", "lightwork_app", "sqlite", _DIRECT),
    Side("http SQLite", "lightwork", "lightwork_app", "sqlite", _OPEN, option=SERVED),
    Side("http key", "lightwork", "lightwork_app", "sqlite", _HTTP.format("every message signed"), option=KEYED),
    Side("direct PG", "lightwork", "lightwork_app", "postgresql", _DIRECT),
    Side("http PG", "lightwork", "lightwork_app", "postgresql", _OPEN, option=SERVED),
    Side("BaseManager", "multiprocessing", "", "sqlite", _QUEUES, part=0.5),
)  # fmt: skip
SIDES = {side.name: side for side in _ALL}
OURS = tuple(side.name for side in _ALL if side.option)
