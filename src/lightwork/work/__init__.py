"""Work: in a worker's process: claim, run, heartbeat, ack; runner.py runs in its children.

Read in this order: worker.py (the loop), incarnation.py (one life of a worker),
lease.py (until when it may act), in_flight.py (what it holds), runner.py (the part
that runs in a child), flight/ (what follows an attempt, and short ones together), acks.py (what the store is
told), catalog.py and lanes.py (which code a job may name, and where to claim it),
upkeep.py (promote, rescue), served/ (the same where a server does it), schedules/ (what the code declares), pace.py (how many
jobs to claim); service.py is the worker as a program runs it.
"""
