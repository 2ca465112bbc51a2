"""Wire: what client and server say to each other, as data; knows no socket."""
