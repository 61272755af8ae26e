"""What a user got wrong, in one line."""


class BadInputError(ValueError):
    """What the user asked for is not allowed; the message is one line."""


def told_of(error: ValueError | OSError) -> str:
    """What is wrong, without a number of the system's."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename} must be readable, but is not: {error.strerror}"
    return str(error)
