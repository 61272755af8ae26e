"""Hub reach: whether prompts that only the hub has can be had from this machine now.

A launch waits half a minute for a hub out of reach and then refuses; a plan asks first.
"""

import os
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from launcher.plan.grid import PlannedPoint, Verdict
from telemetry.next_line import typed
from workers.prompts.corpus import find_corpus
from workers.prompts.hub import staging_command
from workers.prompts.source import PromptOrigin, PromptSource

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
            f"but the hub cannot be reached (not within {_PATIENCE_S:.0f} s): "
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


def hub_notes(points: Iterable[PlannedPoint]) -> list[str]:
    """What a launch would read from the hub, a line for each data set that is not staged."""
    wanted: dict[str, int] = {}
    for point in points:
        if point.verdict is Verdict.RUN and point.source.source is PromptOrigin.HUB:
            most = wanted.get(point.source.corpus, 0)
            wanted[point.source.corpus] = max(most, point.spec.prompts)
    return [
        f"{corpus} is not staged: {prompts} prompts will be read from the hub; "
        f"{typed('launcher.stage', corpus)} keeps them here"
        for corpus, prompts in sorted(wanted.items())
    ]


def _connects(host: str, port: int) -> bool:
    """Whether a connection is had in time, a name server and all addresses of the host together."""
    answers: list[bool] = []

    def connect() -> None:
        try:
            with socket.create_connection((host, port), timeout=_PATIENCE_S):
                answers.append(True)
        except (OSError, UnicodeError):
            return

    # Neither a name server that does not answer nor a host of many addresses heeds a timeout.
    asking = threading.Thread(target=connect, daemon=True)
    asking.start()
    asking.join(_PATIENCE_S)
    return bool(answers)


def _downloaded(source: PromptSource) -> bool:
    """True where the hub's library has the data set from before: it may do without the hub."""
    hub = find_corpus(source.corpus).hub or ""
    folder: Path = source.cache / "huggingface" / "datasets" / hub.replace("/", "___")
    return folder.is_dir()
