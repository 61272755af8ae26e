"""A checked grid is written down, run, closed, and can be looked at."""
