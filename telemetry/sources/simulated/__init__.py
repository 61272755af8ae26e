"""A stated power model in place of GPUs."""
