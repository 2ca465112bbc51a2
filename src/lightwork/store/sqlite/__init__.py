"""SQLite: one file, which the processes of one machine share.

Read file.py first (what the stores of a process share), then writer.py and filelock.py
(who writes, and when), watch.py (how a change is noticed) and worker_file.py (how a death is).
"""
