"""Main: the process of the broker, from its start to its end.

It has the listening socket as descriptor 0, the lock that makes it the only one as 1, and the log as 2: see
starting.py. All that it ever imports is imported here: it may outlive the files.
"""

import contextlib
import fcntl
import os
import resource
import signal
import socket

from lightwork.sync.broker.loop import Loop
from lightwork.sync.broker.protocol import SOCKET
from lightwork.sync.broker.regions import Regions
from lightwork.sync.runtime_folder import open_runtime_folder


def broker_main(path: str) -> None:
    """Host primitives for the processes of this user until nobody is left."""
    # A terminal's end and Ctrl-C are for programs; who wants it gone says SIGTERM.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # A descriptor for each process, and one for each question under way.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    os.umask(0o077)
    os.chdir("/")
    folder = open_runtime_folder(path)
    # What sweeps old files from temporary folders passes by those that are locked.
    fcntl.flock(folder, fcntl.LOCK_SH)
    listener = socket.socket(fileno=_own(0))
    # Kept, never closed: it is let go when this process has ended, however it does.
    lock = _own(1)
    os.ftruncate(lock, 0)
    # For people who want to know, or to end it.
    os.pwrite(lock, b"%d\n" % os.getpid(), 0)
    listener.setblocking(False)
    regions = Regions(folder)
    Loop(listener, regions).run()
    # Whoever has connected and was not accepted sees the line closed, and starts anew once the lock is free.
    with contextlib.suppress(FileNotFoundError):
        os.unlink(SOCKET, dir_fd=folder)
    listener.close()
    regions.close()


def _own(number: int) -> int:
    """Move an inherited descriptor away, so that 0 and 1 lead nowhere."""
    own = os.dup(number)
    nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    os.dup2(nowhere, number)
    os.close(nowhere)
    return own
