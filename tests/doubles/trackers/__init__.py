"""Stand-ins for experiment trackers: they take what the published ones take, and remember it."""
