"""What a paper's abstracts say, version by version, tested."""
