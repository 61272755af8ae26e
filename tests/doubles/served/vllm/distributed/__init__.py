"""How ranks are joined."""
