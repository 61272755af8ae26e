"""Links: a run's name leads to the run's page, wherever it stands."""

from collections.abc import Callable, Collection
from urllib.parse import quote

from markupsafe import Markup, escape


def linked(runs: Collection[str]) -> Callable[[object], object]:
    """Makes a link of a text that is one of the names of `runs`, and leaves others as they are."""
    known = frozenset(runs)

    def link(text: object) -> object:
        if text not in known:
            return text
        address = escape(f"#run={quote(str(text), safe='')}")
        return Markup('<a href="{}">{}</a>').format(address, text)

    return link
