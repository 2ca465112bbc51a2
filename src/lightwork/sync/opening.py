"""Opening: the host that a word or a URL names, once per process."""

import threading
from collections.abc import Callable
from importlib import import_module
from typing import Final

from lightwork.errors import UsageError
from lightwork.sync.host import Host
from lightwork.sync.local import host as local

_lock: Final = threading.Lock()
# Guarded by the lock. By what was asked for, and by what the host itself says opens it again: a URL without
# its password finds what was opened with it.
_hosts: Final[dict[str, Host]] = {"threads": local.host}


def open_host(where: "str | Host", *, authkey: bytes | None = None) -> Host:
    """Return the host; the same one for the same words.

    Args:
        where: "threads": this program. "processes": this machine, by a broker that is started when first needed.
            Else the URL of a store or a server. A host is returned as it is.
        authkey: For a server that asks for one; default: from the environment, as in net/opening.py.

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
        return host


def _open(where: str, authkey: bytes | None) -> Host:
    if where == "processes":
        # Sockets and a process: only for who shares with other processes.
        return _by_name("lightwork.sync.broker.client", "open_broker")()
    if "://" not in where:
        raise UsageError(
            f"where={where!r} is no place for locks and queues; expected 'threads', 'processes', the URL "
            "of a store (sqlite:///path/to/file.db) or of a server (http://HOST:PORT)"
        )
    # SQLAlchemy, or HTTP: only for the URL of a store.
    return _by_name("lightwork.sync.stored.host", "open_stored")(where, authkey=authkey)


def _by_name(module: str, function: str) -> Callable[..., Host]:
    found: Callable[..., Host] = getattr(import_module(module), function)
    return found
