"""The library vLLM as far as this project asks it, on the path of who is to be served by it."""
