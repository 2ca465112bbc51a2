"""Doctor: `lightwork doctor`: command.py asks, each other file knows what to look at."""
