"""Nesting: how many pools this process is inside of.

A call may use a pool of its own, whose calls may too. A module that makes one while it
is imported does so in each child that imports it, which imports it in its children.
"""

from typing import Final

# Nobody needs so many on purpose, and a machine survives as many processes.
DEEPEST: Final = 10

# Of this process: 0 in a program. Set by the fork server, for all its children.
level: Final = [0]
