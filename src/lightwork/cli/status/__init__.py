"""Status: `lightwork status`: command.py asks, health.py judges, view.py draws."""
