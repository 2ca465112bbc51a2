"""Statements about workers: their rows and their leases."""

from typing import Final

from sqlalchemy import BigInteger, bindparam, insert, or_, select, update

from lightwork.store.sql.moves import WORKER
from lightwork.store.sql.states import raw
from lightwork.store.sql.upkeep import FAR
from lightwork.store.tables.clock_sql import NOW
from lightwork.store.tables.types import Id
from lightwork.store.tables.workers import worker
from lightwork.store.views import DRAINING

REGISTER: Final = insert(worker).values(
    id=bindparam("b_worker", type_=Id),
    name=bindparam("b_name"),
    host=bindparam("b_host"),
    pid=bindparam("b_pid"),
    slots=bindparam("b_slots"),
    queues=bindparam("b_queues"),
    tasks=bindparam("b_tasks"),
    state="up",
    started_at=NOW,
    heartbeat_at=NOW,
    lease_until=NOW + bindparam("b_lease", type_=BigInteger),
)
PUBLISH_TASKS: Final = (
    update(worker)
    .where(worker.c.id == WORKER, worker.c.state != "dead")
    .values(tasks=bindparam("b_tasks"))
)
# A worker that is draining claims nothing more: a claim names who is "up".
DRAIN: Final = (
    update(worker).where(worker.c.id == WORKER, worker.c.state == "up").values(state=DRAINING)
)
ALL_DRAINING: Final = select(worker.c.id).where(worker.c.state == DRAINING)
IS_DRAINING: Final = select(worker.c.state).where(worker.c.id == WORKER, worker.c.state == DRAINING)
IS_KNOWN: Final = select(worker.c.id).where(worker.c.id == WORKER)
# Of a worker whose file says that it lives (sqlite/worker_file.py): its lease is over when somebody says so.
RENEW_LIVING: Final = (
    update(worker)
    .where(worker.c.id == WORKER, worker.c.state != "dead")
    .values(heartbeat_at=NOW, lease_until=NOW + bindparam("b_lease", type_=BigInteger))
)
RENEW: Final = RENEW_LIVING.where(worker.c.lease_until > NOW)
_MANY: Final = (
    worker.c.id.in_(bindparam("b_workers", expanding=True, type_=Id)),
    worker.c.state != "dead",
    worker.c.lease_until > NOW,
)
RENEW_MANY: Final = (
    update(worker)
    .where(*_MANY)
    .values(heartbeat_at=NOW, lease_until=NOW + bindparam("b_lease", type_=BigInteger))
)
LIVE_OF: Final = select(worker.c.id).where(*_MANY)
SIGN_OFF: Final = (
    update(worker).where(worker.c.id == WORKER, worker.c.state != "dead").values(state="dead")
)

# Whose lease is over.

NOT_DEAD: Final = select(raw(worker.c.id)).where(worker.c.state != "dead")
_IS_OVER: Final = or_(worker.c.lease_until < NOW, worker.c.lease_until > NOW + FAR)
OVER: Final = NOT_DEAD.where(_IS_OVER)
NOT_DEAD_OF: Final = NOT_DEAD.where(
    worker.c.id.in_(bindparam("b_workers", expanding=True, type_=Id))
)
# Of those that are known to live nobody ends the lease.
END_LEASES: Final = (
    update(worker)
    .where(
        worker.c.state != "dead",
        _IS_OVER,
        worker.c.id.not_in(bindparam("b_living", expanding=True, type_=Id)),
    )
    .values(state="dead")
)
