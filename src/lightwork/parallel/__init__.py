"""Parallel: `lightwork map`: one command or function for many inputs.

    sources ──> reading ──> JobLoop ─start──> commands, calls (of functions), job_calls
    (lazy)      (a thread)    │  <──future──┘
                              ├──> results, joblog   as jobs end
                              └──> printing as they end, in order, or line by line

run.py puts these together from what was typed (settings.py). Pure parts decide:
sources.py (which values, in which combination), gate.py (when the next may start),
halt.py (when to stop, and the exit status), joblog.py (what a line means). An option
that GNU parallel has means what it means there; docs/parallel.md has the differences.
On purpose:

- COMMAND is one word of the command line, so that its options are never taken
  for ours; our options may stand on either side of it, inputs come last.
- A job that was killed, by Ctrl-C or --halt now, is not in the joblog: --resume
  runs it again.
- A placeholder whose number no value has is an error, and so is what only looks
  like a placeholder.
"""
