"""Jobs: `lightwork submit`, and `lightwork jobs` with the verbs of its own.

submit.py     one new job                     command.py   the list
show.py       all that is known of a job      change.py    retry, cancel
wait.py       until jobs have ended           waiting.py   how both wait

names.py      how people name a job
arguments.py  what a job is called with, in words
outcome.py    how it ended, in words
"""
