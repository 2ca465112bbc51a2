"""Schedule: when a task is due, again and again. Pure: cron and intervals as arithmetic of instants.

rules.py     what was said becomes a rule, which knows the next due time
zones.py     what clocks show where, and when they are moved
turns.py     what becomes of a schedule that is due, late or far too late
ids.py       the ids of its jobs
declared.py  the schedule of a task

    "0 3 * * *"            cron: minute, hour, day, month, weekday; with six fields seconds first
    "@daily"               a name for one: yearly, monthly, weekly, daily, hourly
    "every 1h30m"          an interval; a timedelta and a number of seconds are the same

An interval counts from where it begins, in elapsed time: it knows no clock on a wall. The
fields of cron are such a clock, that of a time zone, which is sometimes put forward or back:

- *Fixed* are those of which neither second, minute nor hour begins with a star: `30 2 * * *`.
  They are due once for each time that they name. One that the clock skips is due when
  it has been put forward, one that it shows twice the first time: no day without, none
  with two.
- All others, as `*/15 * * * *`, are due whenever the clock shows what they name: in an hour
  that is shown twice twice as often, in one that is skipped not at all.

That is what Debian's cron does. cronsim reads the fields and walks a calendar without a
zone; the zone is ours, because cronsim's own walk steps by whole hours and misses times where a
clock is moved by half an hour (Australia/Lord_Howe).

What a due time is: an instant, in milliseconds since 1970 UTC, as the store counts. With the
name of its schedule it is the identity of a job, so every worker must compute the same:
nothing here looks at a clock, at the machine's own zone or at chance.
"""
