"""Map: many items as few calls; in the program, chunk.py and bundle.py in children too."""
