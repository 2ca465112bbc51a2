"""Client: this process's host "processes", one for each runtime folder."""

import os
import threading

from lightwork.sync.arena import ofd
from lightwork.sync.broker.host import Broker
from lightwork.sync.broker.shortcuts import ArenaBroker
from lightwork.sync.runtime_folder import runtime_path

_lock = threading.Lock()
# Guarded by _lock; by path: tests change it.
_brokers: dict[str, Broker] = {}


def open_broker() -> Broker:
    """Return this process's host "processes"; nothing is started before it is used.

    Raises:
        UsageError: The runtime folder is not this user's alone.
    """
    path = runtime_path()
    with _lock:
        broker = _brokers.get(path)
        if broker is None:
            broker = ArenaBroker(path) if ofd.is_available() else Broker(path)
            _brokers[path] = broker
        return broker


def _be_forked() -> None:
    global _lock  # noqa: PLW0603 - another thread of the parent may have had it
    _lock = threading.Lock()
    for broker in _brokers.values():
        broker.be_forked()


os.register_at_fork(after_in_child=_be_forked)
