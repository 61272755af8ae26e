"""What the data say: the best points, what sets energy, where a joule goes."""
