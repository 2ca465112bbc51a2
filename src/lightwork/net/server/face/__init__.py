"""Face: what a server offers to programs that are not lightwork: jobs in plain JSON, and the document of all."""
