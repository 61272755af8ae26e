"""What a login node must know of a model, without torch."""
