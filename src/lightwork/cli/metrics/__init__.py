"""Metrics: `lightwork metrics`: families.py says what is measured, exposition.py writes it."""
