"""Tables drawn."""
