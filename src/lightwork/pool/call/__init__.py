"""Call: one call, in the program and in children alike: options, future, retries, progress."""
