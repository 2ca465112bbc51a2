"""Apps: one module for each library, all with the same names; see sides.py."""
