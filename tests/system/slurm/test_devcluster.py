"""The development cluster itself: what it refuses, and that it ends what it started."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.slurm.conftest import PROGRAM
from tests.system.slurm.site import Site


def devcluster(folder: Path | str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PROGRAM), "--folder", str(folder), *words],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose path a Unix socket can have."""
    with tempfile.TemporaryDirectory(prefix="jg-") as folder:
        yield Path(folder)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["up", "0"], "must be a whole number from 1 to 62, but is '0'"),
        (["up", "63"], "but is '63'"),
        (["up", "two"], "but is 'two'"),
        (["up", "2", "-1"], "-1"),
        (["up", "2", "65"], "must be a whole number from 0 to 64, but is '65'"),
        (["destroy"], "invalid choice: 'destroy'"),
        (["crash"], "required: node"),
    ],
)
def test_arguments_that_make_no_cluster_are_refused(
    short: Path, words: list[str], complaint: str
) -> None:
    done = devcluster(short, *words)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert list(short.iterdir()) == []


@pytest.mark.parametrize("name", ["with blank", "x" * 80, "a;touch pwned", "$(pwned)", "a%n"])
def test_a_folder_that_slurm_would_misread_is_refused(short: Path, name: str) -> None:
    done = devcluster(short / name, "up")
    assert done.returncode == 1
    assert "`folder` must be a path of at most 70 letters, digits" in done.stderr
    assert list(short.iterdir()) == []


def test_somebody_s_full_folder_is_left_alone(short: Path) -> None:
    (short / "thesis.tex").write_text("dear")
    for words in (["up"], ["down", "--purge"]):
        done = devcluster(short, *words)
        assert done.returncode == 1
        assert "must be empty or a cluster's" in done.stderr
    assert (short / "thesis.tex").read_text() == "dear"


def test_a_folder_without_a_cluster_says_how_to_make_one(short: Path) -> None:
    done = devcluster(short, "status")
    assert done.returncode == 1
    assert "holds no cluster; `up` makes one" in done.stderr


def test_only_its_nodes_can_crash(cluster: Site) -> None:
    done = devcluster(cluster.folder, "crash", "n5")
    assert done.returncode == 1
    assert "`NODE` must be one of n1, n2, n3, n4, but is 'n5' instead" in done.stderr


def test_a_cluster_of_other_numbers_is_not_made_over_it(cluster: Site) -> None:
    done = devcluster(cluster.folder, "up", "3", "1")
    assert done.returncode == 1
    assert "holds a cluster of 4 nodes x 2 GPUs, not 3 x 1" in done.stderr


def test_up_again_changes_nothing_and_prints_the_same_line(cluster: Site) -> None:
    before = cluster.control("status")
    line = cluster.control("up", "4", "2")
    assert line == f"export SLURM_CONF={cluster.folder}/etc/slurm.conf\n"
    assert cluster.control("env") == line
    assert cluster.control("status") == before


def test_a_node_crashes_with_all_its_processes_and_comes_back(cluster: Site) -> None:
    cluster.control("crash", "n4")
    assert "n4         down" in cluster.control("status")
    cluster.wait("the node to be down", lambda: "down" in node_state(cluster, "n4"))
    cluster.control("start", "n4")
    cluster.wait("the node to be back", lambda: node_state(cluster, "n4") == "idle")


def node_state(cluster: Site, node: str) -> str:
    return cluster.slurm("sinfo", "-h", "-p", "main", "-n", node, "-o", "%T")


def test_each_node_has_its_own_name_and_gpus(cluster: Site) -> None:
    said = cluster.slurm(
        "srun", "-N2", "--ntasks-per-node=2", "--gpus-per-node=2", "sh", "-c",
        'echo "$(hostname) $SLURMD_NODENAME $SLURM_LOCALID $CUDA_VISIBLE_DEVICES"',
    )  # fmt: skip
    assert sorted(said.splitlines()) == [
        f"n{node} n{node} {local} 0,1" for node in (1, 2) for local in (0, 1)
    ]


def test_it_starts_and_ends_beside_another_and_leaves_no_process(
    cluster: Site, short: Path
) -> None:
    folder = short / "second"
    up = devcluster(folder, "up", "1", "0")
    assert up.returncode == 0, up.stderr
    assert devcluster(folder, "status").returncode == 0
    assert str(folder) in processes()
    down = devcluster(folder, "down", "--purge")
    assert down.returncode == 0, down.stderr
    assert not folder.exists()
    assert str(folder) not in processes()
    assert "down" not in cluster.control("status").splitlines()[0]


def processes() -> str:
    """Command lines of all processes."""
    return subprocess.run(
        ["ps", "-e", "-o", "args", "-ww"], capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize(
    ("environment", "printed"),
    [
        (
            {"SLURM_STEP_ID": "0", "CUDA_VISIBLE_DEVICES": "0,1", "SLURM_STEP_GPUS": "0,1"},
            "export CUDA_VISIBLE_DEVICES=4,5\nexport SLURM_STEP_GPUS=4,5\n",
        ),
        ({"SLURM_STEP_ID": "0", "CUDA_VISIBLE_DEVICES": "1"}, "export CUDA_VISIBLE_DEVICES=5\n"),
        # The batch script's own: its steps would be moved twice.
        ({"SLURM_STEP_ID": "4294967291", "CUDA_VISIBLE_DEVICES": "0,1"}, ""),
        ({"CUDA_VISIBLE_DEVICES": "0,1"}, ""),
        ({"SLURM_STEP_ID": "0", "CUDA_VISIBLE_DEVICES": "GPU-1;touch pwned"}, ""),
        ({"SLURM_STEP_ID": "0"}, ""),
    ],
)
def test_real_gpus_of_the_third_node_are_the_machine_s_fifth_and_sixth(
    cluster: Site, environment: dict[str, str], printed: str
) -> None:
    prolog = cluster.folder / "etc" / "task_prolog"
    done = subprocess.run(
        [str(prolog)],
        env={"PATH": "/usr/bin:/bin", "SLURMD_NODENAME": "n3", **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == printed


def test_a_cluster_of_all_users_keeps_its_keys_books_and_states_to_its_maker(site: Site) -> None:
    if site.people is None:
        pytest.skip("only root's cluster is of all users")
    for private in ("munge/key", "etc/slurmdbd.conf", "db/mysql", "state/clustername", "log"):
        path = site.folder / private
        assert path.exists()
        assert not site.people[0].can("-r", str(path)), private
    assert site.people[0].can("-r", str(site.folder / "etc" / "slurm.conf"))
    assert not site.people[0].can("-w", str(site.folder / "etc" / "slurm.conf"))
    for folder in ("etc", "run", "spool", "dev"):
        assert not site.people[0].can("-w", str(site.folder / folder)), folder
