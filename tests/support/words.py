"""Words of a command line of which a later one takes an earlier one's place."""


def last_words(*words: str) -> list[str]:
    """The words without those whose key comes again: the launcher wants each key once."""
    last = {word.partition("=")[0]: word for word in words}
    return list(last.values())
