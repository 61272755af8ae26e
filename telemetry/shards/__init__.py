"""What one writer wrote: parts on disk that survive a kill -9."""
