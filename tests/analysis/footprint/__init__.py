"""Carbon, cost and two forms, tested."""
