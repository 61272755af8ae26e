"""The configuration groups that Hydra composes."""
