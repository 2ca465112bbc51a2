"""Statements about primitives, their sessions, callers and cells."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Integer,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.sql.elements import BindParameter

from lightwork.store.tables.clock_sql import NOW
from lightwork.store.tables.primitives import (
    ANSWERED,
    WAITS,
    primitive,
    primitive_caller,
    primitive_cell,
    primitive_member,
    primitive_session,
)
from lightwork.store.tables.types import Blob, IdBytes

_caller, _cell, _member, _session = (
    primitive_caller,
    primitive_cell,
    primitive_member,
    primitive_session,
)
DAY_MS: Final = 86_400_000
_PRIMITIVE: Final = bindparam("b_primitive", type_=IdBytes(16))
_SESSION: Final = bindparam("b_session", type_=IdBytes(16))
_THREAD: Final = bindparam("b_thread", type_=Integer)
_REQUEST: Final = bindparam("b_request", type_=BigInteger)
_LEASE: Final = bindparam("b_lease", type_=BigInteger)
_LIMIT: Final[BindParameter[int]] = bindparam("b_limit")
_STATE: Final = bindparam("b_state", type_=Blob)
_IS_LIVE: Final = _session.c.lease_until > NOW
_IS_OVER: Final = _session.c.lease_until <= NOW

# Sessions.

OPEN_SESSION: Final = insert(_session).values(
    id=_SESSION,
    host=bindparam("b_host"),
    pid=bindparam("b_pid"),
    started_at=NOW,
    lease_until=NOW + _LEASE,
)
RENEW_SESSION: Final = (
    update(_session).where(_session.c.id == _SESSION, _IS_LIVE).values(lease_until=NOW + _LEASE)
)
END_SESSION: Final = delete(_session).where(_session.c.id == _SESSION)
# A renewal that came first wins.
END_IF_OVER: Final = END_SESSION.where(_IS_OVER)
SESSION: Final = select(_session.c.id).where(_session.c.id == _SESSION)
OVER: Final = select(_session.c.id).where(_IS_OVER).order_by(_session.c.id).limit(_LIMIT)
PLACES: Final = (
    select(_member.c.primitive).where(_member.c.session == _SESSION).order_by(_member.c.primitive)
)
# Under another name, for what is asked inside of a question about a session.
_its = primitive_session.alias("its")
_WITH_SESSION: Final = _member.outerjoin(_its, _its.c.id == _member.c.session)
_IS_LOST: Final = or_(_its.c.id.is_(None), _its.c.lease_until <= NOW)
LOST: Final = (
    select(_member.c.session)
    .select_from(_WITH_SESSION)
    .where(_member.c.primitive == _PRIMITIVE, _IS_LOST)
    .order_by(_member.c.session)
)
LOST_PLACES: Final = (
    select(_member.c.primitive)
    .select_from(_WITH_SESSION)
    .where(_IS_LOST)
    .distinct()
    .order_by(_member.c.primitive)
    .limit(_LIMIT)
)
JOIN: Final = insert(_member).values(primitive=_PRIMITIVE, session=_SESSION)
LEAVE: Final = delete(_member).where(
    _member.c.primitive == _PRIMITIVE, _member.c.session == _SESSION
)
FORGET_CALLERS: Final = delete(_caller).where(_caller.c.session == _SESSION)
FORGET_LOST_CALLERS: Final = delete(_caller).where(
    ~exists().where(_session.c.id == _caller.c.session)
)
HAS_LOST_CALLER: Final = (
    select(_caller.c.session).where(~exists().where(_session.c.id == _caller.c.session)).limit(1)
)

# One primitive.

_HAS_LOST: Final = exists(
    select(_member.c.session)
    .select_from(_WITH_SESSION)
    .where(_member.c.primitive == _PRIMITIVE, _IS_LOST)
).label("has_lost")
LOCK: Final = (
    select(primitive.c.kind, primitive.c.state, primitive.c.version)
    .where(primitive.c.id == _PRIMITIVE)
    .with_for_update()
)
SEE: Final = select(primitive.c.kind, primitive.c.state, primitive.c.version, _HAS_LOST).where(
    primitive.c.id == _PRIMITIVE
)
SPEC: Final = select(primitive.c.spec).where(primitive.c.id == _PRIMITIVE)
SAVE: Final = (
    update(primitive)
    .where(primitive.c.id == _PRIMITIVE, primitive.c.version == bindparam("b_version"))
    .values(state=_STATE, version=primitive.c.version + 1, changed_at=NOW)
)
SAVE_GRANTED: Final = SAVE.values(granted_at=NOW)
TIME: Final = select(NOW)
REMOVE: Final = (
    delete(_cell).where(_cell.c.primitive == _PRIMITIVE),
    delete(_member).where(_member.c.primitive == _PRIMITIVE),
    delete(_caller).where(_caller.c.primitive == _PRIMITIVE, _caller.c.status == WAITS),
    delete(primitive).where(primitive.c.id == _PRIMITIVE),
)
_IS_UNUSED: Final = (
    primitive.c.is_named == 0,
    primitive.c.changed_at < NOW - DAY_MS,
    ~exists().where(_member.c.primitive == primitive.c.id),
)
UNUSED: Final = select(primitive.c.id).where(*_IS_UNUSED).order_by(primitive.c.id).limit(_LIMIT)
LOCK_UNUSED: Final = (
    select(primitive.c.id).where(primitive.c.id == _PRIMITIVE, *_IS_UNUSED).with_for_update()
)
LIST: Final = select(
    primitive.c.kind,
    primitive.c.name,
    primitive.c.state,
    primitive.c.changed_at,
    primitive.c.granted_at,
).order_by(primitive.c.kind, primitive.c.name)
HOLDERS: Final = select(
    _session.c.id, _session.c.host, _session.c.pid, _IS_LIVE.label("is_live")
).where(_session.c.id.in_(bindparam("b_sessions", expanding=True, type_=IdBytes(16))))

# Callers.

_IS_CALLER: Final = (_caller.c.session == _SESSION, _caller.c.thread == _THREAD)
# Nothing: the session is lost.
ASKER: Final = (
    select(
        _caller.c.request,
        _caller.c.status,
        _caller.c.value,
        _caller.c.refused,
        exists(
            select(_member.c.session).where(
                _member.c.primitive == _PRIMITIVE, _member.c.session == _SESSION
            )
        ).label("is_member"),
        _HAS_LOST,
    )
    .select_from(
        _session.outerjoin(
            _caller, and_(_caller.c.session == _session.c.id, _caller.c.thread == _THREAD)
        )
    )
    .where(_session.c.id == _SESSION, _IS_LIVE)
)
_NOTED: Final = {
    "request": _REQUEST,
    "primitive": _PRIMITIVE,
    "status": bindparam("b_status", type_=Integer),
    "value": bindparam("b_value", type_=Blob),
    "refused": bindparam("b_refused"),
}
ADD_REQUEST: Final = insert(_caller).values(session=_SESSION, thread=_THREAD, **_NOTED)
NOTE_REQUEST: Final = (
    update(_caller).where(*_IS_CALLER, _caller.c.request <= _REQUEST).values(_NOTED)
)
# Of another caller than the one who is noted: both may be parts of one statement.
ANSWER: Final = (
    update(_caller)
    .where(
        _caller.c.session == bindparam("b_to_session", type_=IdBytes(16)),
        _caller.c.thread == bindparam("b_to_thread", type_=Integer),
        _caller.c.primitive == _PRIMITIVE,
        _caller.c.status == WAITS,
    )
    .values(
        status=ANSWERED,
        value=bindparam("b_answer", type_=Blob),
        refused=bindparam("b_answer_refused"),
    )
)

# Cells.

_HASH: Final = bindparam("b_hash", type_=IdBytes(16))
_IS_CELL: Final = (_cell.c.primitive == _PRIMITIVE, _cell.c.hash == _HASH)
# One, and those that were made next; nothing, if there is none of that key.
_first = primitive_cell.alias("first")
CELLS_FROM: Final = (
    select(_cell.c.key, _cell.c.value)
    .join_from(_first, _cell, _cell.c.primitive == _first.c.primitive)
    .where(
        _first.c.primitive == _PRIMITIVE,
        _first.c.hash == _HASH,
        _cell.c.number >= _first.c.number,
    )
    .order_by(_cell.c.number)
    .limit(_LIMIT)
)
CELLS_THERE: Final = select(_cell.c.hash).where(
    _cell.c.primitive == _PRIMITIVE,
    _cell.c.hash.in_(bindparam("b_hashes", expanding=True, type_=IdBytes(16))),
)
CELL_KEYS: Final = (
    select(_cell.c.key).where(_cell.c.primitive == _PRIMITIVE).order_by(_cell.c.number)
)
COUNT_CELLS: Final = select(func.count()).where(_cell.c.primitive == _PRIMITIVE)
# Of a SELECT: only then can many rows be one statement on every database.
ADD_CELL: Final = insert(_cell).from_select(
    ["primitive", "hash", "key", "value"],
    select(_PRIMITIVE, _HASH, bindparam("b_key", type_=Blob), bindparam("b_value", type_=Blob)),
)
CHANGE_CELL: Final = update(_cell).where(*_IS_CELL).values(value=bindparam("b_value", type_=Blob))
DELETE_CELL: Final = delete(_cell).where(*_IS_CELL)
