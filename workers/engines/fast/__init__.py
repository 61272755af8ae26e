"""The same weights near the memory bound."""
