"""Net: a store over HTTP: who may speak to it (keys/), what is said (wire/), and both ends."""
