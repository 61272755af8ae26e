"""Methods: the three readings of a GPU's energy, and which is preferred.

The rank counter is the board's own running total as the GPU's rank read it at the edges of its
spans. The polled counter is the same total as the watcher polled it. The power integral is the
trapezoid under the board's power.
"""

from typing import Final

RANK_COUNTER: Final = "rank_counter"
"""The board's running total as the GPU's rank read it at its spans' edges: it needs no trace."""
POLLED_COUNTER: Final = "polled_counter"
"""The same running total as the watcher polled it."""
POWER_INTEGRAL: Final = "power_integral"
"""Power summed over time."""
METHODS: Final = (RANK_COUNTER, POLLED_COUNTER, POWER_INTEGRAL)
"""In order of preference: a counter loses nothing between two readings, an integral may; and a rank
reads it at the very edges, where a watcher's polls have to be interpolated."""


def in_words(method: str) -> str:
    """A method as a sentence says it: `rank_counter` is "rank counter"."""
    return method.replace("_", " ")
