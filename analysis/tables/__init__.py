"""One module a table: its columns beside how each is computed."""
