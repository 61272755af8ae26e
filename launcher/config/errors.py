"""What a user got wrong, in one line."""


class BadInputError(ValueError):
    """What the user asked for is not allowed; the message is one line."""
