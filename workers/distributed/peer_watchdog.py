"""Peer watchdog: ends a rank that waits in vain for one that failed.

A rank whose peer is gone may hang inside a collective: NCCL's kernels and the project's own sums
wait on the GPU for words that never come, and no exception reaches Python there. A thread asks rank
0's store once a second whether a rank failed; when one did and this rank is not out of its block
some seconds later, the process ends. Who failed has written why; what this rank wrote is on disk.
"""

import json
import logging
import os
import threading
from typing import Final

import torch.distributed as dist

from workers.distributed.rendezvous import FAILURE_KEY, Rendezvous

_LOG: Final = logging.getLogger(__name__)

_PERIOD_S: Final = 1.0
# Peers on CPU notice at once, and closing a rank's files takes less.
GRACE_S: Final = 10.0
# Any other than 0 fails the job's step; this one tells such an end from a traceback's 1.
EXIT_CODE: Final = 70


class PeerWatchdog:
    """Watches over a block of this rank's from a thread of its own."""

    def __init__(self, rendezvous: Rendezvous, grace_s: float = GRACE_S) -> None:
        self._rank = rendezvous.rank
        # A connection of its own: the rendezvous' is held by whoever waits for a word.
        self._store = rendezvous.store.clone()  # type: ignore[attr-defined]
        self._grace_s = grace_s
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="guard", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._left.set()

    def _watch(self) -> None:
        while not self._left.wait(_PERIOD_S):
            if (failure := self._failure()) is None:
                continue
            if self._left.wait(self._grace_s):
                return
            _LOG.error(
                "rank %d ends: it waits in vain after another rank failed first: %s",
                self._rank.rank,
                failure,
            )
            logging.shutdown()
            os._exit(EXIT_CODE)

    def _failure(self) -> str | None:
        """Which rank failed and why; None while none has."""
        try:
            if not self._store.check([FAILURE_KEY]):
                return None
            return str(json.loads(self._store.get(FAILURE_KEY))["text"])
        except dist.DistError as error:
            return f"rank 0 is gone without a word: {str(error).splitlines()[0]}"
