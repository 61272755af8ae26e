"""Published weights on disk: which files, whose, whole?"""
