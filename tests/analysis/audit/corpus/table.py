"""Table: every falsification of the corpus, by what it claims."""

from collections.abc import Mapping
from typing import Final

from tests.analysis.audit.corpus.contradicted import CONTRADICTED
from tests.analysis.audit.corpus.energies import ENERGIES
from tests.analysis.audit.corpus.told_alike import TOLD_ALIKE
from tests.analysis.audit.corpus.work import WORK
from tests.analysis.audit.forging import Forge

ALL: Final[Mapping[str, tuple[Forge, str | None]]] = {
    **WORK,
    **CONTRADICTED,
    **ENERGIES,
    **{name: (forge, None) for name, forge in TOLD_ALIKE.items()},
}
"""How each is made, and the check that fails; None where a signature alone rules it out."""
