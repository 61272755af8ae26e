"""Plugins: a folder that is to Python what an installed package with an engine is."""

import shutil
from pathlib import Path

from workers.planning.engine_facts import ENTRY_POINTS

TOY = Path(__file__).with_name("toy_engine.py")


def install(folder: Path, entry: str = "toy_engine:TOY") -> Path:
    """Put the toy engine and its entry point into a folder for `sys.path`, and return it."""
    about = folder / "toy_engine-1.0.dist-info"
    about.mkdir(parents=True)
    shutil.copy2(TOY, folder)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-engine\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[{ENTRY_POINTS}]\ntoy = {entry}\n")
    return folder
