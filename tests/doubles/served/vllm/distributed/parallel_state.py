"""Groups of ranks, of which the double makes none."""


def destroy_model_parallel() -> None:
    """Let go of them."""
