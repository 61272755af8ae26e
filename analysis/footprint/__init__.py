"""Carbon, cost and the forms that ask for them, by factors that the user states."""
