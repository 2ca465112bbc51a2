"""Db: `lightwork db`: care of a store: command.py, and a file for each verb that is longer."""
