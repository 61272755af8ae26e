"""Points become specs, each with a verdict, before anything starts."""
