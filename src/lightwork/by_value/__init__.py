"""By value: what no module names, as bytes: in programs, workers and children."""
