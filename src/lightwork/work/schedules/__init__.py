"""Schedules of a worker: those that its code declares are kept in the store, those that are gone go.

declared.py  what the store is to keep, and what it is to forget; pure
keeper.py    when a worker does that

In a rolling deploy old and new workers run side by side, and each declares what its own code says,
once, when it starts:

- Of a schedule that has changed, the worker that has started last decides. After a deploy that
  is a new one, whichever was killed and started anew in between.
- A schedule whose function is still there without it goes at once, when a new worker starts. An old one that
  is started anew brings it back until the next new one comes.
- One whose function is gone too stays for as long as another live worker knows the function: that
  may be an old release, or a project whose module has the same name. Every minute
  the workers of its module look again, and the first that finds nobody forgets it.
"""
