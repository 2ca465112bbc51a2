"""Opening: the host that a word or a URL names, once per process."""

import os
import threading
from typing import Final

from lightwork.errors import UsageError
from lightwork.sync.host import Host
from lightwork.sync.local import host as local

_lock: Final = threading.Lock()
# Guarded by the lock. By what was asked for, and by what the host itself says opens it again: a URL without
# its password finds what was opened with it.
_hosts: Final[dict[str, Host]] = {"threads": local.host}
_authkeys: Final[dict[str, bytes]] = {}
# How a password is shown in what is pickled (store/urls.py).
_HIDDEN: Final = ":***@"


def open_host(where: "str | Host", *, authkey: bytes | None = None) -> Host:
    """Return the host; the same one for the same words.

    Args:
        where: "threads": this program. "processes": this machine, by a broker that is started when first needed.
            Else the URL of a store or a server. A host is returned as it is.
        authkey: For a server that asks for one, and for what is not plain data in a store; default: from
            the environment, as in net/opening.py.

    Raises:
        UsageError: It is none of these.
        AuthError: The server and this key do not know each other.
        StoreError: The store cannot be used; `StoreUnavailable`: not now.
    """
    if not isinstance(where, str):
        return where
    with _lock:
        host = _hosts.get(where)
        if host is None:
            host = _open(where, authkey)
            host = _hosts.setdefault(host.where, host)
            _hosts[where] = host
        if authkey:
            _authkeys[host.where] = authkey
        return host


def authkey_of(host: Host) -> bytes:
    """Return the key with which what is not plain data is signed there; b"": there is none."""
    if found := _authkeys.get(host.where):
        return found
    # Keys: only for what is in a store.
    from lightwork.net.keys.finding import find_authkey  # noqa: PLC0415 - see above

    return find_authkey(file=os.environ.get("LIGHTWORK_AUTHKEY_FILE", ""))


def _open(where: str, authkey: bytes | None) -> Host:
    if where == "processes":
        # Sockets and a process: only for who shares with other processes.
        from lightwork.sync.broker.client import open_broker  # noqa: PLC0415 - see above

        return open_broker()
    if "://" not in where:
        raise UsageError(
            f"where={where!r} is no place for locks and queues; expected 'threads', 'processes', the URL "
            "of a store (sqlite:///path/to/file.db) or of a server (http://HOST:PORT)"
        )
    # SQLAlchemy, or HTTP: only for the URL of a store.
    from lightwork.sync.stored.host import open_stored  # noqa: PLC0415 - see above

    return open_stored(_with_password(where) if _HIDDEN in where else where, authkey=authkey)


def _with_password(where: str) -> str:
    """Return the URL of what was pickled elsewhere: this process must have its password, or be told it."""
    # SQLAlchemy: as above.
    from lightwork.store.urls import safe_url  # noqa: PLC0415 - see above

    url = os.environ.get("LIGHTWORK_URL", "")
    if url and safe_url(url) == where:
        return url
    raise UsageError(
        f"{where} came without its password, which is never pickled; open it in this process first (any lock "
        "or queue with where=URL does), or set LIGHTWORK_URL to the whole URL"
    )
