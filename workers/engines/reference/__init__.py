"""The published LLaMA v1 loop, cost included."""
