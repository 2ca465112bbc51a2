"""`lightwork demo`: the main job on real input, killed on purpose, with nothing lost.

    run.py        the run: submit, watch, kill, report            one thread
    files.py      which files are measured
    tasks.py      the job: measure one file                       runs in children
    workers.py    the worker processes: start, replace, stop      and what runs in them
    ledger.py     how the jobs stand, read from the store
    kills.py      whom to kill and when
    log_lines.py  what happened, in words
    screen.py     the live display, or a few plain lines
    figures.py    all that is said at the end: JSON, or tables
    proof.py      one recorded outcome for each file: checked
    fresh.py      --fresh

The demo's own process runs no job. It tells only what the store or the kernel
told it: that an attempt was lost is a row of the store, not a guess.
"""
