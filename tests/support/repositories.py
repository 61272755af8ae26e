"""Git repositories for tests, with an identity of their own."""

import subprocess
from pathlib import Path


def make_repository(folder: Path) -> Path:
    """A new one with one commit."""
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    for name, value in (("user.name", "test"), ("user.email", "test@center.example")):
        subprocess.run(["git", "-C", str(folder), "config", name, value], check=True)
    commit_in(folder)
    return folder


def commit_in(folder: Path) -> str:
    """One more commit, of nothing; its hash."""
    words = ["commit", "-q", "--allow-empty", "-m", "more"]
    subprocess.run(["git", "-C", str(folder), *words], check=True)
    done = subprocess.run(
        ["git", "-C", str(folder), "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()
