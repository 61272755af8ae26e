"""What the chain costs a writer: each write's digest of its rows, and a signed link.

    python -m tests.benchmarks.links [--rounds 20]

Bound, written before: a write of a watcher's 160 rows takes at most a tenth longer with a chain,
as rows are hashed when a link is made, and a link, made every ten seconds, at most a millisecond of
CPU. Predicted: 250 us a link of one write, of which 70 are the digest, 70 the signature and 70 the
line. All three are taken in turns, and the median of the rounds is told.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from telemetry.record.schema import SAMPLES
from telemetry.shards.chain import Binding
from telemetry.shards.link_key import LinkKey
from telemetry.shards.writer import ShardWriter
from tests.telemetry.shards.test_writer import columns

# Eight GPUs of twenty fields, of which a poll in two brings a value.
_ROWS = 160
_WRITES = 100
_HOUR_US = 3_600_000_000


def main() -> int:
    """Print microseconds a write without a chain, with one, and what a link adds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    given = parser.parse_args()
    bindings = {
        "without": None,
        "digest": Binding(host="n1", grounds={}, link_us=_HOUR_US, key=LinkKey()),
        "link": Binding(host="n1", grounds={}, link_us=0, key=LinkKey()),
    }
    took_us: dict[str, list[float]] = {name: [] for name in bindings}
    rows = columns(0, _ROWS)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(given.rounds):
            for name, binding in bindings.items():
                shard = Path(folder) / f"{number}-{name}"
                with ShardWriter(shard, SAMPLES, {}, binding=binding) as writer:
                    writer.write(rows)
                    begun_ns = time.process_time_ns()
                    for _ in range(_WRITES):
                        writer.write(rows)
                    took_us[name].append((time.process_time_ns() - begun_ns) / 1000 / _WRITES)
    without, digest, link = (statistics.median(took_us[name]) for name in bindings)
    sys.stdout.write(
        f"a write of {_ROWS} rows: {without:.0f} us without a chain, {digest:.0f} us with one\n"
        f"a signed link and its rows' digest: {link - without:.0f} us\n"
        f"ratio {digest / without:.2f}\n"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
