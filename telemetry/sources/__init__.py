"""What every sensor gives and how it is asked."""
