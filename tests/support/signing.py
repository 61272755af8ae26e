"""SSH keys for tests, and who of their holders is allowed."""

import subprocess
from collections.abc import Mapping
from pathlib import Path


def make_key(path: Path, passphrase: str = "") -> Path:
    """A new private key, its public half beside it."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "test", "-f", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path


def allow(path: Path, keys: Mapping[str, Path], options: str = "") -> Path:
    """A file of allowed signers: each name with its key."""
    lines = []
    for name, key in keys.items():
        kind, public, _ = key.with_suffix(".pub").read_text().split(maxsplit=2)
        lines.append(f"{name} {options} {kind} {public}\n")
    path.write_text("".join(lines))
    return path
