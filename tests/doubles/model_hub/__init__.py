"""A hub of models on this machine: see `server`."""
