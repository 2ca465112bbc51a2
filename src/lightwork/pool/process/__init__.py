"""Process: in the program: which call goes to which child, and what becomes of it."""
