"""Local: what bench_local.py is made of.

    run.py      the options, and who measures what when: all sides take turns
    rows.py     what is measured on a pool that stays open
    extras.py   what needs processes of its own: cold start, many children, system calls
    peers.py    one adapter for each side: what it can do, in which setting
    seats.py    the processes in which sides live, seen from outside; seat.py from inside
    session.py  processes and all that they start, without leftovers
    first.py    a program as small as one that makes its first call
    report.py   figures as data; table.py, goals.py and plot.py show them
    calls.py    the functions that children run

Each side lives in a process of its own (its seat), because most peers start threads where they
are used, and a side that hangs or dies must not take the others along. Seats sleep until it is
their turn: only one is at work at a time.
"""
