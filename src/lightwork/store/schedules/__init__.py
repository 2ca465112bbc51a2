"""Schedules: those that a store keeps, and the jobs that they become.

    keeping.py      declare, list, pause, resume, remove
    running.py      the jobs of what is due, and of what somebody wants now
    rows.py         between what a database keeps and what is declared or shown
    statements.py   the SQL

At most one job for each due time, over any number of workers and whatever dies when:

1. Who finds a schedule due moves `next_at` on, in an UPDATE that names the due time that it has read.
2. Only if that changed a row, the job is inserted, in the same transaction.
3. Its id is computed from the name of the schedule and the due time: where all of that happens
   again (a clock that was put back, a schedule that was removed and declared anew), the id is
   known, and nothing is inserted.

So a worker that dies before the commit has changed nothing, and one that dies after it has
made the job; what nobody was there for is due as before, and schedule/turns.py says what
becomes of it. Now is always the database's. Which times a schedule has, a worker computes: one
that cannot (an unknown time zone, a damaged row) passes over it, and the others do it.
"""
