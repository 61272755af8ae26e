"""Methods: the three readings of a GPU's energy, and which is preferred.

The rank counter is the board's own running total as the GPU's rank read it at the edges of its
spans. The polled counter is the same total as the watcher polled it. The power integral is the
trapezoid under the board's power.

The first of them that every GPU of a run has over the window is taken for the whole run; one whose
readings are too far apart for the window stands back behind those that are not. A reading that
cannot be is none; a counter is no witness over a time in which it went back, leapt or stood still;
power is none beyond its readings. Which witness was passed over, and why, stands beside the method.
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
