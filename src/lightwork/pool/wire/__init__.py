"""Wire: values, functions and errors as bytes, to a child and back; both ends."""
