"""Thread: calls inside of the program, on threads, loops and sub-interpreters."""

from lightwork.imported_late import import_late

# Some thread of the program may want its first pool when the main thread has ended.
import_late("concurrent.futures.thread")
