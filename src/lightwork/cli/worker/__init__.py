"""Worker: `lightwork worker`: command.py runs one, log.py has a line for each event."""
