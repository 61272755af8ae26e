"""One rank's life in an attempt, phase by phase, and what it writes."""
