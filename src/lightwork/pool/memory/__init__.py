"""Memory: what program and children share without a copy. Knows bytes, never pickles."""
