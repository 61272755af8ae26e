"""Which texts a run answers."""
