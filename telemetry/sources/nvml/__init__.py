"""One job's GPUs by NVIDIA's management library."""
