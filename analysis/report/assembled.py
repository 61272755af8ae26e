"""Assembled: the page's style and script from their parts, one noun each."""

from importlib import resources
from typing import Final

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from analysis.figures.palette import variables

PAGE: Final = "report.html"
"""The page's own template."""
_TEMPLATES: Final = (PAGE, "sheet.html")
_STYLES: Final = ("report.css", "chart.css", "tables.css", "runs.css", "print.css")
# Each uses those before it.
_SCRIPTS: Final = (
    *("packed.js", "address.js", "downloads.js", "tables.js"),
    *("traces.js", "chart.js", "runs.js", "views.js"),
)


def environment() -> Environment:
    """What fills in the page's template: everything is escaped that is not marked as safe."""
    return Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=DictLoader({name: package_text(name) for name in _TEMPLATES}),
    )


def style() -> Markup:
    """The page's style."""
    return Markup(variables() + "".join(map(package_text, _STYLES)))  # noqa: S704 - the package's own files


def script() -> Markup:
    """The page's script."""
    return Markup("".join(map(package_text, _SCRIPTS)))  # noqa: S704 - the package's own files


def package_text(name: str) -> str:
    """A file of this package."""
    return resources.files("analysis.report").joinpath(name).read_text(encoding="utf-8")
