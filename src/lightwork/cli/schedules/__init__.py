"""Schedules: `lightwork schedules`: command.py lists and acts, add.py declares, view.py shows."""
