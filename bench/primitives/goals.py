"""Goals: what the design asks of primitives between processes. Pure."""

from collections.abc import Sequence

from local.goals import Goal

GOALS: Sequence[Goal] = (
    Goal("Lock, free: acquire, release", 5),
    Goal("Lock, hand-off", 100),
    Goal("Lock, hand-off through PostgreSQL", 5),
    Goal("Lock, after kill -9 of its holder", 10),
    Goal("Broker, started and asked", 100),
    Goal("Queue, one by one", 1, "mp"),
    Goal("Queue, batches of 1000", 5, "mp"),
)
