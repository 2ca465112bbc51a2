"""Command line: one file per verb; main.py names them and loads the one that is used.

A verb is thin: it checks what was typed, asks the store or the worker, and
shows the answer. `--help` imports click and nothing else that takes time, so
each verb imports what it needs when it runs.

    main.py      the verbs, and how errors end the program
    options.py   what several verbs accept: the URL, durations, --json, --quiet
    output.py    how answers look: JSON lines, tables, pipes
"""
