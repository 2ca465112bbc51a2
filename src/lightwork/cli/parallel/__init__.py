"""Parallel: one command or function for many inputs, as `lightwork map` runs them.

    sources ──> reading ──> Course ──start──> calls (commands, functions, jobs)
    (lazy)      (a thread)    │  <──future──┘
                              ├──> joblog   as jobs end
                              └──> printing as they end, or in order

Pure parts decide: sources.py (which values, in which combination), halt.py (when
to stop), ordering.py (who is printed next), joblog.py (what a line means).
Apart from GNU parallel, on purpose:

- COMMAND is one word of the command line, so that its options are never taken
  for ours; our options may stand on either side of it, inputs come last.
- The exit status is 1 when any job failed, whatever their number (GNU parallel:
  the number of failed jobs, at most 101).
- --retries N means N more attempts, as everywhere in lightwork (there: N in all).
- A job that was killed, by Ctrl-C or --halt now, is not in the joblog: --resume
  runs it again.
- A placeholder whose number no value has is an error.
"""
