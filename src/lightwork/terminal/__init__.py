"""Terminal: what people type and read, the same at every verb.

    options.py   what several verbs accept: the URL, durations, --json, --quiet
    modules.py   MODULE:FUNCTION, as seen from this folder
    values.py    arguments and results as text
    amounts.py   durations, sizes, shares and counts, typed and shown
    output.py    how answers look: JSON lines, text that cannot steer a terminal
    table.py     rows under titles, cut to the terminal
    answers.py   with --json, standard output is for answers alone
    program.py   how this program is started again

Knows no verb and no store's tables. `--help` loads it, so it imports click and
nothing else that takes time.
"""
