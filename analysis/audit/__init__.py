"""Every claim again, from files."""
