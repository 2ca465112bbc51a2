"""Child: what runs in a child process and in the fork server that makes them."""
