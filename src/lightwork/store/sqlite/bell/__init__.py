"""Bell: how a process hears at once that another one has written the file."""
