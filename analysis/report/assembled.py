"""Assembled: the page's style and script from their parts, one noun each."""

from importlib import resources
from types import CodeType
from typing import Final

from jinja2 import BytecodeCache, DictLoader, Environment, StrictUndefined
from jinja2.bccache import Bucket
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


class _InMemory(BytecodeCache):
    """Compiled templates of this process: each report has an environment of its own."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give a template's code where it was compiled before."""
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep it."""
        if bucket.code is not None:
            self._codes[bucket.key, bucket.checksum] = bucket.code


# A fifth of a second each time.
_COMPILED: Final = _InMemory()


def environment() -> Environment:
    """What fills in the page's template: everything is escaped that is not marked as safe."""
    return Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=DictLoader({name: package_text(name) for name in _TEMPLATES}),
        bytecode_cache=_COMPILED,
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
