"""Settled: numbers of fits as every machine has them.

Linear algebra and vectorised logarithms sum in the order that suits a processor, so that their last
digits differ from one to another, and an audit makes tables again to the byte, perhaps elsewhere.
"""

from typing import Final

# Of the sixteen that a number has, far more than any interval here leaves standing.
_DIGITS: Final = 9


def settled(value: float) -> float:
    """A number to nine significant digits."""
    return float(f"{value:.{_DIGITS}g}")
