"""Profile: which run crate on which RO-Crate; a pair that its authors declare compatible, no other.

Workflow Run RO-Crate's table of compatibility has 0.1 to 0.5 on RO-Crate 1.1, 0.6 on 1.3, and none
on 1.2.
"""

from dataclasses import dataclass
from typing import Final

METADATA: Final = "ro-crate-metadata.json"
"""The file that makes a folder a crate, at its top."""
RUN_TERMS: Final = "https://w3id.org/ro/terms/workflow-run/context"
"""Context of `sha256`, `environment`, `containerImage` and `resourceUsage`."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A version of Process Run Crate and the RO-Crate that it is defined on."""

    version: str
    """Of Process Run Crate."""
    base: str
    """Of RO-Crate."""

    @property
    def strict_software(self) -> bool:
        """Whether software must have a URL and a version: since RO-Crate 1.2."""
        return self.base != "1.1"

    @property
    def types(self) -> tuple[str, ...]:
        """What the profile itself is: since RO-Crate 1.2 a Profile, too."""
        return ("CreativeWork", "Profile") if self.base != "1.1" else ("CreativeWork",)

    @property
    def uri(self) -> str:
        """Its permalink, which a root data entity conforms to."""
        return f"https://w3id.org/ro/wfrun/process/{self.version}"

    @property
    def base_uri(self) -> str:
        """RO-Crate's own, which the metadata file conforms to."""
        return f"https://w3id.org/ro/crate/{self.base}"


PROFILES: Final = {
    one.version: one
    for one in (Profile(version="0.5", base="1.1"), Profile(version="0.6", base="1.3"))
}
"""Those that there are, by the version of Process Run Crate."""
DEFAULT: Final = "0.5"
"""The one that roc-validator has: 0.13, the newest, knows no run crate 0.6."""
