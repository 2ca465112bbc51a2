"""Server: what is looked at in a store that is behind `lightwork serve`."""

from collections.abc import Iterator
from typing import Final

from lightwork.cli.doctor.finding import Finding, judge
from lightwork.clock import monotonic
from lightwork.errors import Error
from lightwork.net.client.client import ServerStore
from lightwork.net.opening import open_store
from lightwork.terminal.amounts import show_duration
from lightwork.terminal.options import VERSION

# Seconds.
_SLOW: Final = 1.0


def look_at_server(url: str) -> Iterator[Finding]:
    """Yield what was found; of one that cannot be reached, only that."""
    started = monotonic()
    try:
        store = open_store(url)
    except Error as error:
        yield Finding("fail", "server", url, str(error))
        return
    try:
        took = monotonic() - started
        yield judge(
            "server",
            f"{store.safe_url} reached in {show_duration(took)}",
            is_good=took < _SLOW,
            do="it is slow to reach: look at the network, or at what the server does",
        )
        if isinstance(store, ServerStore):
            about = store.calls.about
            yield Finding("ok", "database", f"{about.store}, looked at from the server's machine")
            yield judge(
                "release",
                f"lightwork {about.version} there",
                is_good=about.version == VERSION,
                do=f"here it is {VERSION}: use the same at both ends",
            )
    finally:
        store.close()
