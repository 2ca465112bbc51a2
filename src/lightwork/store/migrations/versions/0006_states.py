"""States: a job is a row that never changes, and a row of the table of its state."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.sql.elements import ColumnElement

from lightwork.store.tables.types import IdBytes, Number

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ZERO = sa.text("0")
KEPT = ("id", "task", "queue", "priority", "idempotent", "policy", "created_at", "payload")
MOVING = (
    "attempt",
    "failures",
    "crashes",
    "losses",
    "cancel_requested",
    "due_at",
    "started_at",
    "progress_done",
    "progress_total",
    "progress_note",
)
ENDS = ("finished_at", "result", "error_type", "error_text", "traceback")
FINAL = ("succeeded", "failed", "cancelled")
# As the columns of before, whose values, damaged ones too, are copied as they are.
job = sa.table("job", *map(sa.column, ("seq", *KEPT, *MOVING, *ENDS, "state", "worker", "begun")))


def upgrade() -> None:
    blob = sa.LargeBinary(2**31 - 1)
    long_text = sa.Text(2**24 - 1).with_variant(sa.Text(), "sqlite", "postgresql")
    _make("blocked")
    _make("scheduled")
    _make(
        "ready",
        sa.Column("queue", sa.String(100), nullable=False),
        sa.Column("task", sa.String(500), nullable=False),
        sa.Column("rank", sa.Integer, nullable=False),
    )
    _make(
        "running",
        sa.Column("worker", IdBytes(16), nullable=False),
        sa.Column("begun", sa.Integer, nullable=False, server_default=ZERO),
    )
    _make(
        "outcome",
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("finished_at", sa.BigInteger, nullable=False),
        sa.Column("result", blob),
        sa.Column("error_type", sa.Text),
        sa.Column("error_text", sa.Text),
        sa.Column("traceback", long_text),
    )
    # Whoever runs for nobody is rescued from nobody.
    nobody = sa.func.coalesce(job.c.worker, sa.literal(b""))
    ended = sa.func.coalesce(job.c.finished_at, job.c.created_at)
    _fill("blocked", ("blocked",))
    _fill("scheduled", ("scheduled",))
    _fill("ready", ("ready",), queue=job.c.queue, task=job.c.task, rank=-job.c.priority)
    _fill("running", ("running",), worker=nobody, begun=job.c.begun)
    errors = {name: job.c[name] for name in ENDS[1:]}
    _fill("outcome", FINAL, state=job.c.state, finished_at=ended, **errors)
    op.create_index("ready_lane", "ready", ["queue", "task", "rank", "seq"])
    op.create_index("running_worker", "running", ["worker"])
    op.create_index("scheduled_due", "scheduled", ["due_at"])
    op.create_index("outcome_state", "outcome", ["state", "finished_at"])
    if op.get_context().dialect.name == "sqlite":
        _make_job_anew(blob)
    else:
        _drop_columns()


def downgrade() -> None:
    raise NotImplementedError("one row per job again? use a copy of the store from before")


def _make(name: str, *more: sa.Column[object]) -> None:
    op.create_table(
        name,
        sa.Column("seq", _key(), primary_key=True, autoincrement=False),
        *(
            sa.Column(counter, sa.Integer, nullable=False, server_default=ZERO)
            for counter in MOVING[:5]
        ),
        sa.Column("due_at", sa.BigInteger),
        sa.Column("started_at", sa.BigInteger),
        sa.Column("progress_done", Number),
        sa.Column("progress_total", Number),
        sa.Column("progress_note", sa.String(1000)),
        *more,
    )


def _fill(name: str, states: tuple[str, ...], **more: ColumnElement[object]) -> None:
    values = {"seq": job.c.seq, **{column: job.c[column] for column in MOVING}, **more}
    target = sa.table(name, *map(sa.column, values))
    read = sa.select(*values.values()).where(job.c.state.in_(states))
    op.execute(target.insert().from_select(list(values), read))


def _make_job_anew(blob: sa.LargeBinary) -> None:
    # SQLite drops no column that a constraint names.
    op.rename_table("job", "job_before")
    op.create_table(
        "job",
        sa.Column("seq", _key(), primary_key=True, autoincrement=True),
        sa.Column("id", IdBytes(16), nullable=False),
        sa.Column("task", sa.String(500), nullable=False),
        sa.Column("queue", sa.String(100), nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("idempotent", sa.Integer, nullable=False, server_default=sa.text("1")),
        sa.Column("policy", sa.String(4000), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("payload", blob, nullable=False),
        sa.UniqueConstraint("id", name="job_id"),
        sqlite_autoincrement=True,
    )
    before = sa.table("job_before", *map(sa.column, ("seq", *KEPT)))
    op.execute(job.insert().from_select(["seq", *KEPT], sa.select(*before.c)))
    # The numbers of jobs that were pruned are not used again.
    op.execute("DELETE FROM sqlite_sequence WHERE name = 'job'")
    op.execute("UPDATE sqlite_sequence SET name = 'job' WHERE name = 'job_before'")
    op.drop_table("job_before")


def _drop_columns() -> None:
    full = "_full" if op.get_context().dialect.name in {"mysql", "mariadb"} else ""
    for index in ("job_lane", "job_due", "job_worker", "job_blocked", "job_finished"):
        op.drop_index(f"{index}{full}", table_name="job")
    op.drop_constraint("job_state", "job", type_="check")
    for name in (*MOVING, *ENDS, "state", "worker", "begun"):
        op.drop_column("job", name)


def _key() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")
