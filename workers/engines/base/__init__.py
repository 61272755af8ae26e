"""What every engine is and gives."""
