"""Reference: every check of the audit in one table, as docs/audit.md shows it.

    make reference

Rules, tolerances and reasons are those that stand beside the code which looks.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from analysis.audit.explained import every_check, place_of

_PAGE: Final = Path("docs/audit.md")
BEGIN: Final = "<!-- checks: `make reference` writes this table -->"
"""What stands before the table in the page."""
END: Final = "<!-- end of checks -->"
"""What stands behind it."""
_HEADING: Final = (
    *("check", "what must hold", "if not", "rule", "tolerance", "reason of the tolerance"),
    *("rules out", "in"),
)


def table() -> str:
    """The table of all checks, in the order in which they are told."""
    rows = [_HEADING, ("---",) * len(_HEADING)]
    rows += [
        (
            *(f"`{check.name}`", check.claim, check.severity.value, check.rule, check.tolerance),
            *(check.reason, check.rules_out, f"`{place_of(check)}`"),
        )
        for check in every_check()
    ]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows)


def with_table(page: str) -> str:
    """The page with the table as it is now.

    Raises:
        ValueError: it has no place for one.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page must hold {BEGIN} and {END}, but does not")
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the table into the page that is named, docs/audit.md by default."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    page = Path(words[0]) if words else _PAGE
    page.write_text(with_table(page.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
