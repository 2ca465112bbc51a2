"""Fork protocol: what a program and its fork server say to each other; see fork_server.py.

Imported before a program's fork server is started (link/launch.py), which is the first thing
of a pool that happens: so it imports next to nothing, not even `typing`.
"""

import struct

REQUEST = struct.Struct("<cIQ")
# The last is that of EXITED alone: the most that the child, or a program it waited for, has held, in KiB.
REPLY = struct.Struct("<cIiQ")
FORK = b"F"
KILL = b"K"
BORN = b"B"
EXITED = b"X"
# The fork failed (EAGAIN, ENOMEM): the third field is the errno.
REFUSED = b"R"

# How many pools this process is inside of: a call may use a pool of its own, whose calls may
# too. 0 in a program; the fork server sets it for all its children.
level = [0]
# A module that makes a pool while it is imported does so in each child that imports it, and
# so on. Nobody needs so many on purpose, and a machine survives as many processes.
DEEPEST = 10
