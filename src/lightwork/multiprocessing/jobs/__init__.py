"""Jobs: processes and pools of a context that is the URL of a store or server."""
