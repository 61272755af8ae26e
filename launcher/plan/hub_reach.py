"""Hub reach: whether prompts that only the hub has can be had from this machine now.

A launch waits half a minute for a hub out of reach and then refuses; a plan asks first.
"""

import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from workers.prompts.corpus import find_corpus
from workers.prompts.hub import staging_command
from workers.prompts.selection import PromptOrigin, PromptSource

# A hub that is there takes a connection in a fraction of it; nobody waits longer for a plan.
_PATIENCE_S: Final = 2.0
_HUB: Final = "https://huggingface.co"
_TRUE: Final = frozenset({"1", "ON", "YES", "TRUE"})


class HubReach:
    """Asks once whether the hub answers, when the first point wants to know.

    Args:
        connects: whether a host takes a connection on a port; asks the network unless given.
        environment: proxies and the hub's address, as its library reads them.
    """

    def __init__(
        self,
        connects: "Callable[[str, int], bool] | None" = None,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._connects = connects or _connects
        self._environment = environment
        self._answers: bool | None = None

    def fault(self, source: PromptSource) -> str | None:
        """Why a source's prompts cannot be had here and now; None when they can, or may."""
        if source.source is not PromptOrigin.HUB or _downloaded(source):
            return None
        if self._answers is None:
            self._answers = self._asked()
        if self._answers:
            return None
        command = staging_command(find_corpus(source.corpus))
        return (
            f"{source.corpus} would come from the hub, as it is not staged here, "
            "but the hub cannot be reached: "
            f"{command} where there is internet, {command} --from FILE where there is none"
        )

    def _asked(self) -> bool:
        offline = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")
        if any(self._environment.get(name, "").upper() in _TRUE for name in offline):
            return False
        get = self._environment.get
        proxy = get("HTTPS_PROXY") or get("https_proxy") or get("ALL_PROXY") or get("all_proxy")
        # What is behind a proxy only the proxy knows.
        place = proxy or get("HF_ENDPOINT") or _HUB
        try:
            address = urlsplit(place if "://" in place else f"http://{place}")
            port = address.port or (443 if address.scheme == "https" else 80)
        except ValueError:
            return False
        return bool(address.hostname) and self._connects(str(address.hostname), port)


def _connects(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=_PATIENCE_S):
            return True
    except (OSError, UnicodeError):
        return False


def _downloaded(source: PromptSource) -> bool:
    """True where the hub's library has the data set from before: it may do without the hub."""
    hub = find_corpus(source.corpus).hub or ""
    folder: Path = source.cache / "huggingface" / "datasets" / hub.replace("/", "___")
    return folder.is_dir()
