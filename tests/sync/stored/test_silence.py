"""A store that does not answer holds up nobody longer than was asked, and goes on with what was left."""

import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest

import lightwork as lw
from lightwork.sync.stored import host as of_host
from net.processes.serving import serving
from store.databases import postgresql_url
from sync.stored.programs import LOCK, Program

__all__ = ["postgresql_url"]

ACQUIRE = "host.ask(LOCK, 'acquire', timeout=0.2, undo=lambda _: ('release', ()))"
GRACE = 0.3


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Let nobody change a primitive in the block."""
    with (
        psycopg.connect(url.replace("postgresql+psycopg", "postgresql")) as connection,
        connection.transaction(),
    ):
        connection.execute("LOCK TABLE primitive IN EXCLUSIVE MODE")
        yield


def test_who_has_set_a_time_is_told_that_a_row_stays_locked(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_host, "GRACE", GRACE)
    with (
        closing(of_host.open_stored(postgresql_url)) as host,
        closing(of_host.open_stored(postgresql_url)) as other,
    ):
        host.ask(LOCK, "locked")
        with locked(postgresql_url), pytest.raises(lw.StoreUnavailable, match="no answer for"):
            host.ask(LOCK, "acquire", timeout=0.2, undo=lambda _: ("release", ()))

        assert other.ask(LOCK, "acquire", timeout=30.0) == (1, False)


def test_who_waits_without_a_time_goes_on_when_the_row_is_free(
    postgresql_url: str,
) -> None:
    with closing(of_host.open_stored(postgresql_url, lease=1.0)) as host:
        host.ask(LOCK, "locked")
        began = time.monotonic()
        with closing(psycopg.connect(postgresql_url.replace("+psycopg", ""))) as connection:
            connection.execute("LOCK TABLE primitive IN EXCLUSIVE MODE")
            # The server ends it: nobody here need sleep.
            connection.execute("SET idle_in_transaction_session_timeout = '1500ms'")

            assert host.ask(LOCK, "acquire") == (1, False)

        assert time.monotonic() - began > 1.0


def test_a_server_that_is_stopped_holds_nobody_up(tmp_path: Path) -> None:
    with serving(tmp_path) as (url, server), closing(Program(url, 60.0)) as program:
        program.do("setattr(sys.modules['lightwork.sync.stored.host'], 'GRACE', 0.3)")
        assert program.do("host.ask(LOCK, 'locked')") is False

        server.send_signal(signal.SIGSTOP)
        try:
            assert program.do(ACQUIRE)[0] == "StoreUnavailable"
        finally:
            server.send_signal(signal.SIGCONT)

        # It was granted to nobody, or given back.
        assert program.do("host.ask(LOCK, 'locked')") is False
        assert program.do(ACQUIRE)[1] is False
