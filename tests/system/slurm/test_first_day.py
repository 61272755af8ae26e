"""The checklist of slurm/README.md, typed as it stands in a clone of the project's last commit.

What a site would write is the site's here, too: its editor writes the development cluster's file.
In place of 7B and 65B, which only GPUs can run, the experiments name models of a second.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from telemetry.record.paths import list_runs
from tests.conftest import REPOSITORY
from tests.support.checkpoints import write_meta
from tests.system.slurm.site import Site
from workers.models.llama.shape import LlamaShape
from workers.planning.families import find_shape
from workers.tokenizers.tokenizer import BUNDLED_MODEL

_STEP: Final = re.compile(
    r"^\*\*(?P<number>\d+)\. .*?^```sh\n(?P<typed>.*?)^```\n\n^```text\n(?P<printed>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
# What the site's experiments have in place of a card's sizes; a second instead of half a minute.
_SMALLER: Final = (
    ("/model: 7b", "/model: nano"),
    ("model: 7b,65b", "model: nano,micro"),
    ("{7b: 1, 65b:", "{nano: 1, micro:"),
    ("engine: reference,fast", "engine: fast"),
    ("repeats: 3", "repeats: 1"),
    (": 128", ": 8"),
    (": 64", ": 4"),
    ("min_window_s: 10.0", "min_window_s: 1.0"),
    ("min_window_s: 30.0", "min_window_s: 1.0"),
    ("max_warmup_batches: 10", "max_warmup_batches: null"),
    ("idle_s: 10.0", "idle_s: 1.0"),
)
_PATIENCE_S: Final = 240


def steps() -> list[tuple[int, str, list[str]]]:
    """Number, commands and the words that they must print, in the checklist's order."""
    text = (REPOSITORY / "slurm" / "README.md").read_text()
    checklist = text.partition("## A center's first day")[2].partition("\n## ")[0]
    return [
        (int(match["number"]), match["typed"], match["printed"].splitlines())
        for match in _STEP.finditer(checklist)
    ]


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def center(cluster: Site, tmp_path: Path) -> Mapping[str, str]:
    """A center: a clone, an environment that is made already, an editor, a home with its files."""
    clone, home, tools = tmp_path / "clone", tmp_path / "home", tmp_path / "bin"
    git = ["git", "-c", "user.name=Center", "-c", "user.email=center@example.org"]
    subprocess.run([*git, "clone", "--quiet", "--shared", REPOSITORY, clone], check=True)
    for name in ("center", "proof", "proof_two_nodes"):
        experiment = clone / "conf" / "experiment" / f"{name}.yaml"
        text = experiment.read_text()
        for old, new in _SMALLER:
            text = text.replace(old, new)
        experiment.write_text(text)
    subprocess.run([*git, "-C", clone, "commit", "--quiet", "-am", "Our sizes"], check=True)
    (clone / ".venv").mkdir()
    (clone / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    (clone / ".venv" / ".made").touch()
    head = f"#!{sys.executable}\nimport sys\n"
    run = "from launcher.console import main\nsys.exit(main())\n"
    script(tools / "joulegrid", head + run)
    of_site = (REPOSITORY / "conf" / "cluster" / "devcluster.yaml").read_text()
    of_site = of_site.replace("name: devcluster", "name: mysite")
    of_site = of_site.replace("gpus_per_node: 8", "gpus_per_node: 2")
    write = f"from pathlib import Path\nPath(sys.argv[1]).write_text({of_site!r})\n"
    editor = script(tools / "editor", head + write)
    shape = find_shape("nano")
    assert isinstance(shape, LlamaShape)
    write_meta(home / "llama-7b", shape)
    shutil.copy(BUNDLED_MODEL, home / "llama-7b")
    (home / "gsm8k.jsonl").write_text('{"question": "How many?", "answer": "Two."}\n' * 8)
    return {
        **cluster.environment,
        "PATH": f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(clone),
        "PWD": str(clone),
        "HOME": str(home),
        "EDITOR": str(editor),
        "HF_HUB_OFFLINE": "1",
        **{f"GIT_{who}_NAME": "Center" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "center@example.org" for who in ("AUTHOR", "COMMITTER")},
    }


def test_the_checklist_has_every_step_with_what_it_must_print() -> None:
    text = (REPOSITORY / "slurm" / "README.md").read_text()
    checklist = text.partition("## A center's first day")[2].partition("\n## ")[0]
    assert [number for number, _, _ in steps()] == list(range(1, checklist.count("```sh") + 1))
    assert all(printed for _, _, printed in steps())


# Four jobs of a cluster on two cores, one after another; three minutes beside others' work.
@pytest.mark.timeout(900)
def test_a_center_s_first_day_goes_as_its_checklist_says(center: Mapping[str, str]) -> None:
    clone = Path(center["PWD"])
    for number, typed, printed in steps():
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", typed],
            capture_output=True,
            text=True,
            check=False,
            env=center,
            cwd=clone,
            timeout=_PATIENCE_S,
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, f"step {number}: {typed}\n{said}"
        flat = " ".join(said.split())
        for words in printed:
            assert words in flat, f"step {number} must print {words!r}: {typed}\n{said}"
    for folder, count in (("proof", 2), ("center", 2)):
        runs = list_runs(clone / folder)
        assert [run.sealed() is not None for run in runs] == [True] * count, folder
