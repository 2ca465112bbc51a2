"""Map: many items as few calls; in the program, chunk.py, bundle.py and trial.py in children too."""
