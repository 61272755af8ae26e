"""One job's GPUs by a DCGM engine."""
