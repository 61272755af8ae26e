"""Palette: colours of series, for light and for dark paper.

They follow those of Okabe and Ito (jfly.uni-koeln.de/color), which people with any colour vision
tell apart, moved in lightness so that each stands out from the page's paper by 3 : 1 at least
(WCAG 2.2, 1.4.11) in its scheme; grey and a wine are added, as there are eight phases.
"""

import re
from typing import Final

LIGHT: Final = (
    *("#0072b2", "#c17d00", "#008f68", "#c0649a"),
    *("#2e93c9", "#a03c00", "#6e737a", "#882255"),
)
"""Colours on white and on the page's light card, by the index of a series."""
DARK: Final = (
    *("#3d9bdb", "#edaa10", "#14b488", "#e69ac6"),
    *("#a6dafa", "#e8672a", "#bcc2c9", "#d4609b"),
)
"""The same on the page's dark card."""
GREY: Final = 6
"""Index of the grey: what is only there to compare with."""
_VARIABLE: Final = re.compile(r"var\(--plot-\d+, (#[0-9a-f]{6})\)")
FAINT: Final = 0.6
"""How much of a bar is seen that carries a label, where others carry none."""
INK: Final = "ink"
"""Stands for the colour of the page's text."""


def name_of(colour: int | None) -> str:
    """What a colour is called in a plot's JSON and on the page: `plot-3`, or `ink`."""
    return INK if colour is None else f"plot-{colour % len(LIGHT)}"


def hex_of(colour: int | None, ink: str) -> str:
    """A colour on light paper; `ink` is that of the text."""
    return ink if colour is None else LIGHT[colour % len(LIGHT)]


def variables() -> str:
    """Declarations of the page's style: the colours by their names, in light and in dark."""
    light, dark = (
        " ".join(f"--plot-{index}: {colour};" for index, colour in enumerate(colours))
        for colours in (LIGHT, DARK)
    )
    # Paper is light whatever the screen is.
    dim = "@media screen and (prefers-color-scheme: dark)"
    return f":root {{ {light} }}\n{dim} {{ :root {{ {dark} }} }}\n"


def with_variables(svg: str) -> str:
    """A drawing whose colours follow the page's scheme."""
    for index, colour in enumerate(LIGHT):
        svg = svg.replace(colour, f"var(--plot-{index}, {colour})")
    return svg


def without_variables(svg: str) -> str:
    """A drawing in the colours of light paper, for who knows no style of a page."""
    return _VARIABLE.sub(r"\1", svg)
