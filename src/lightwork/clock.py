"""Clock: the only source of local time.

Two clocks exist and are never mixed. The *database* clock orders jobs and ends
leases; it is read in SQL, never here. The *local* clock below measures
durations inside one process: how long a call ran, how long a lease may still
be trusted. It must not stop while the machine sleeps, or a worker on a
suspended laptop would trust a lease that the database has long ended; hence
CLOCK_BOOTTIME where the system has it.
"""

import time

if hasattr(time, "CLOCK_BOOTTIME"):

    def monotonic() -> float:
        """Return seconds of a clock that never steps back and counts suspension."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)
else:
    monotonic = time.monotonic
