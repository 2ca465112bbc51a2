"""Sent: a statement that the server has, and whose answer its sender need not wait for.

psycopg sends and waits in one; its pipelines end with a wait as well. Underneath, libpq does one after the other,
and psycopg offers that (`psycopg.pq`). A statement here is a transaction by itself, on a connection in
autocommit that nobody else uses until the answer is there. What does not fit into the socket's buffer
is sent when that is waited for: to send holds up nobody.

Here statements can be prepared as well: parsed and planned once for a connection, which for a short one is most of
the work. What is prepared belongs to a session, and a pooler that gives sessions away after each transaction
loses it, or finds that of somebody else. So it is done only on a connection that leads to the server itself, which
shows in this: at its start a server tells the number of the process that serves it, for cancelling; a pooler has to
tell a number of its own, to know whose cancel it is. Should a prepared statement be lost all the same, nothing was
done, and this connection has no more of them; and the name says the text, so that nobody's other statement is taken for it.
"""

import hashlib
import re
import select
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection

from lightwork.store.postgresql.packed import Packed
from lightwork.store.server.transactions import NotWritten

# In the notes that SQLAlchemy keeps of a connection: by its text the name of each; None: there can be none.
_PREPARED: Final = "lightwork_prepared"
# PGRES_COMMAND_OK of libpq.
_COMMAND_OK: Final = 1
_NAMED: Final = re.compile(r"%\((\w+)\)s")


def numbered(text: str) -> tuple[bytes, Sequence[str]]:
    """Return a statement as libpq takes it, and the names of its parameters in order."""
    names = list(dict.fromkeys(_NAMED.findall(text)))
    places = {name: f"${number}" for number, name in enumerate(names, 1)}
    return _NAMED.sub(lambda found: places[found[1]], text).encode(), names


def written_prepared(
    connection: Connection, text: bytes, names: Sequence[str], values: Mapping[str, Any]
) -> int | None:
    """Execute a statement that is prepared; return how many rows it has written, None: that cannot be, or failed.

    It has failed without a trace, or the connection is lost.
    """
    driver: Any = connection.connection.driver_connection
    if not driver.autocommit:
        return None
    known: dict[bytes, bytes] | None = connection.info.setdefault(_PREPARED, {})
    if known is None:
        return None
    try:
        if not known and not _is_server(driver):
            connection.info[_PREPARED] = None
            return None
        if (name := known.get(text)) is None:
            name = b"lightwork_" + hashlib.blake2b(text, digest_size=8).hexdigest().encode()
            driver.pgconn.send_prepare(name, text)
            Sent(driver).receive()
            known[text] = name
        encoding = driver.info.encoding
        given = [_dumped(values[one], encoding) for one in names]
        forms = [int(isinstance(values[one], bytes)) for one in names]
        driver.pgconn.send_query_prepared(name, given, forms)
        return Sent(driver).receive()
    except Exception:
        connection.info[_PREPARED] = None
        return None


def _is_server(driver: Any) -> bool:
    """Whether no pooler is between; see above."""
    ((pid,),) = driver.execute("SELECT pg_backend_pid()").fetchall()
    return bool(pid == driver.info.backend_pid)


def sent(driver: Any, text: bytes, names: Sequence[str], values: Mapping[str, Any]) -> "Sent":
    """Send a statement.

    Args:
        driver: A connection of psycopg.
        text: With numbered parameters.
        names: Of these.
        values: Numbers, texts, None and Packed, by these names.
    """
    given = [values[name] for name in names]
    encoding = driver.info.encoding
    driver.pgconn.send_query_params(
        text,
        [_dumped(value, encoding) for value in given],
        [value.array_oid if isinstance(value, Packed) else 0 for value in given],
        [int(isinstance(value, Packed)) for value in given],
    )
    return Sent(driver)


class Sent:
    """What was handed to libpq just now."""

    def __init__(self, driver: Any) -> None:
        self._pq = driver.pgconn
        self._pq.flush()

    def receive(self) -> int:
        """Wait for the answer; return how many rows were written.

        Raises:
            NotWritten: The server says why nothing was done.
            OperationalError: Of the driver: the connection was lost.
        """
        self._wait()
        count = -1
        while (answer := self._pq.get_result()) is not None:
            if answer.status == _COMMAND_OK:
                count = answer.command_tuples or 0
            self._wait()
        if count < 0:
            if self._pq.status:
                raise ConnectionError("the connection was lost")
            raise NotWritten
        return count

    def _wait(self) -> None:
        """Return when a result is there, or there is none any more."""
        poll = select.poll()
        while self._pq.flush():
            poll.register(self._pq.socket, select.POLLIN | select.POLLOUT)
            if any(events & ~select.POLLOUT for _, events in poll.poll()):
                self._pq.consume_input()
        poll.register(self._pq.socket, select.POLLIN)
        while self._pq.is_busy():
            poll.poll()
            self._pq.consume_input()


def _dumped(value: Any, encoding: str) -> bytes | None:
    if value is None:
        return None
    if isinstance(value, bytes):
        return value
    return value.pack(encoding) if isinstance(value, Packed) else str(value).encode(encoding)
