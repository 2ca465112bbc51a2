"""Hints: sleepers that are woken by a KILL QUERY after commits, so that idle workers hear of jobs within milliseconds.

MariaDB and MySQL have no NOTIFY. But a session may end a query of another session of the same user, and nothing
else of it. So whoever wants to hear has a connection of its own that does nothing but SELECT SLEEP; who has
committed finds these in the list of what the server runs, and ends their sleep. They sleep again at once.

    program A   SELECT SLEEP ───────────────╮ ended: look for jobs     SELECT SLEEP ────
                                            │
    program B   INSERT ... COMMIT ── list ── KILL QUERY 17

Never to be relied upon:

- Who commits while a sleeper is awake does not find it. The window is a message wide; so after each word changes are looked
  for as well, 5 ms later, and each time after as long again, up to twice a second (`pause`).
- Programs that log in as different users neither see nor end each other's sleep. The look of twice a second finds
  what they have written.
- A proxy may number sessions by itself: a KILL through it would meet the query of somebody else. The number that
  the server said when we logged in must be the one that it says in a query, or nobody is told and nobody sleeps.

Nothing is written for a word, and no table is needed: a row that counts commits would wait for the disk once more.
"""

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Connection, Engine, exc

from lightwork.store.contracts.news import News
from lightwork.store.server.hint_listener import HintListener, OnHint
from lightwork.store.server.hint_sender import HintSender
from lightwork.store.server.server import Look
from lightwork.store.server.watch import SHORTEST_PAUSE, looking_pause

# Where words arrive: how late it is found of what no word has come.
HEARD_PAUSE: Final = 0.5
# Under load changes are looked for anyway, and to list what the server runs costs it 0.3 ms.
_PAUSE: Final = 0.050
# Said anew so often: a connection that is lost without a word is then found so.
_SLEEP: Final = "SELECT SLEEP(5) AS lightwork"
# Both in one query: a proxy may answer CONNECTION_ID() by itself. A row for each: what is too long a text for a
# server it cuts off, and the rest of a number is the number of somebody else.
_SLEEPERS: Final = (
    "SELECT CONNECTION_ID(), list.id FROM (SELECT 1) AS one LEFT JOIN information_schema.processlist AS list "  # noqa: S608 - our own text
    f"ON list.db = DATABASE() AND list.info = '{_SLEEP}'"
)
# Somebody has ended the query; the server did, which has a time for all.
_WOKEN: Final = 1317
_TIMED_OUT: Final = frozenset({1969, 3024})


class MariaHints:
    """A thread that wakes sleepers and one that sleeps, each started when it is first needed.

    Args:
        engine: Makes the sleeper's connection.
        look: Runs a closure in no transaction.
        cut: Makes whoever waits on a driver's connection fail at once.
    """

    def __init__(self, engine: Engine, look: Look, *, cut: Callable[[Any], None]) -> None:
        self._look = look
        self._is_behind_proxy = False
        self._sender = HintSender(self._send, _PAUSE)
        self._listener = HintListener(engine, self._hear, cut)

    def listen(self, on_hint: OnHint) -> None:
        """Begin to sleep, if nobody does."""
        self._listener.start(on_hint)

    def send(self, news: News = News.ALL, *, may_wait: bool = False) -> None:  # noqa: ARG002 - it is not quick
        """Wake the others soon: something was committed here."""
        if not self._is_behind_proxy:
            self._sender.post(news)

    def word(self, _news: News) -> str:
        """Return "": a message is one statement here."""
        return ""

    def are_heard(self) -> bool:
        """Whether this program would be woken by one that logs in as the same user."""
        return self._listener.is_listening

    def pause(self, idle: float) -> float:
        """Return as long as it has been quiet: a word that came while we were awake is found soon."""
        if not self.are_heard():
            return looking_pause(idle)
        return min(max(idle, SHORTEST_PAUSE), HEARD_PAUSE)

    def close(self) -> None:
        """End both threads; what is due is not sent any more."""
        self._listener.close()
        self._sender.close()

    def _send(self, _news: News) -> None:
        self._look(self._wake_sleepers)

    def _wake_sleepers(self, connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        rows = connection.exec_driver_sql(_SLEEPERS).all()
        if rows[0][0] != driver.thread_id():
            self._is_behind_proxy = True
            self._listener.give_up()
            return
        listener = self._listener.driver
        own = None if listener is None else listener.thread_id()
        for _, sleeper in rows:
            if sleeper not in {own, None}:
                try:
                    connection.exec_driver_sql(f"KILL QUERY {int(sleeper)}")
                except exc.DBAPIError as error:
                    # It may have gone meanwhile; but on a lost connection nobody else is found either.
                    if error.connection_invalidated:
                        raise

    def _hear(self, driver: Any, on_hint: OnHint) -> None:
        """Sleep until the connection is lost."""
        driver.autocommit(True)
        cursor = driver.cursor()
        cursor.execute(_SLEEPERS)
        if cursor.fetchone()[0] != driver.thread_id():
            self._is_behind_proxy = True
            self._listener.give_up()
            return
        self._listener.note_heard()
        # What was committed before is looked for once more.
        on_hint(News.ALL)
        while not self._listener.is_closed:
            if _is_woken(cursor):
                # A sleep that ends says nothing of why.
                on_hint(News.ALL)


def _is_woken(cursor: Any) -> bool:
    """Sleep; return whether somebody has ended it: MySQL says so by 1, MariaDB by an error."""
    try:
        cursor.execute(_SLEEP)
        return bool(cursor.fetchone()[0])
    except cursor.connection.OperationalError as error:
        number = error.args[0]
        if number in _TIMED_OUT:
            return False
        if number != _WOKEN:
            raise
        return True
