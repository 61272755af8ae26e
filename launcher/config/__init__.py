"""Command line in, composed points out; Hydra lives here alone."""
