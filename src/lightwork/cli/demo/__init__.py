"""`lightwork demo`: the main job on real input, killed on purpose, with nothing lost.

    command.py   options, exit status
    conduct.py   the run: submit, watch, kill, report             one thread
    files.py     which files are measured
    tasks.py     the job: measure one file                        runs in children
    crew.py      the worker processes: start, kill, stop
    attached.py  such a process, which ends when the demo does
    ledger.py    all that is read from the store
    mischief.py  whom to kill and when
    news.py      what happened, in words
    screen.py    the live display, or a few plain lines
    figures.py   all that is said at the end, as data and as JSON
    tables.py    the same for people
    proof.py     one recorded outcome for each file: checked
    anew.py      --fresh

The demo's own process runs no job. It tells only what the store or the kernel
told it: that an attempt was lost is a row of the store, not a guess.
"""
