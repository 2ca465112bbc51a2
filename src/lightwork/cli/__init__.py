"""Command line: main.py names the verbs and loads the one that is used.

A verb is a file, or a folder if it needs more than one: it checks what was typed,
asks the store or the worker, and shows the answer. `--help` imports click and
nothing else that takes time, so each verb imports what it needs when it runs.

    main.py        the verbs, and how errors end the program
    settings.py    [tool.lightwork] of pyproject.toml
    complaints.py  what is said about a command line that cannot be obeyed

`demo`, `map` and `tune` are programs of their own beside this folder; here is only
what can be typed. What all of them share is in terminal/.
"""
