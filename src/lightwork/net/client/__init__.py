"""Client: a store that is behind a server, as the contract of stores has it."""
