"""Link: the program's end of its children: processes, descriptors, calls held, deaths."""
