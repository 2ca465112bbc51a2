"""News: what workers tell of what they do: as events, as counts, and as others read it in the store."""
