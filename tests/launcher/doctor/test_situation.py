"""What kind of place this is decides what is asked of it."""

from pathlib import Path

import pytest

from launcher.doctor.situation import GpuPlace, Situation, settle

LOGIN = {"PATH": "/nowhere"}


def place(cluster: str, root: Path, environment: dict[str, str] | None = None) -> Situation:
    return settle(cluster, "results", environment or LOGIN, root)


def board(root: Path, kind: str) -> None:
    if kind == "driver":
        (root / "proc/driver/nvidia/gpus/0000:17:00.0").mkdir(parents=True)
    elif kind == "device":
        (root / "dev").mkdir()
        (root / "dev/nvidia3").touch()
    else:
        folder = root / "sys/bus/pci/devices/0000:17:00.0"
        folder.mkdir(parents=True)
        (folder / "vendor").write_text("0x10de\n")
        (folder / "class").write_text("0x030200\n")


@pytest.mark.parametrize("kind", ["driver", "device", "bus"])
def test_a_board_is_seen_however_the_kernel_shows_it(kind: str, tmp_path: Path) -> None:
    board(tmp_path, kind)
    assert place("local", tmp_path).gpu is GpuPlace.HERE
    assert place("local", tmp_path).board_seen is not None


def test_another_s_card_and_a_board_s_own_sound_are_no_gpu(tmp_path: Path) -> None:
    for name, vendor, kind in (("0", "0x1002", "0x030000"), ("1", "0x10de", "0x040300")):
        folder = tmp_path / "sys/bus/pci/devices" / name
        folder.mkdir(parents=True)
        (folder / "vendor").write_text(vendor)
        (folder / "class").write_text(kind)
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/nvidiactl").touch()
    assert place("local", tmp_path).gpu is GpuPlace.SIMULATED


def test_a_login_node_leaves_the_gpu_to_the_nodes_and_a_job_without_one_lacks_it(
    tmp_path: Path,
) -> None:
    login = place("slurm", tmp_path)
    assert (login.gpu, login.login) == (GpuPlace.NODES, True)
    node = place("slurm", tmp_path, {**LOGIN, "SLURM_JOB_ID": "7"})
    assert (node.gpu, node.login, node.job) == (GpuPlace.LACKING, False, "7")


def test_a_cluster_s_file_that_simulates_needs_no_gpu(tmp_path: Path) -> None:
    assert place("devcluster", tmp_path).gpu is GpuPlace.SIMULATED
    board(tmp_path, "driver")
    assert place("devcluster", tmp_path).gpu is GpuPlace.SIMULATED


def test_auto_is_slurm_where_sbatch_is_on_path(tmp_path: Path) -> None:
    assert place("auto", tmp_path).cluster == "local"
    (tmp_path / "sbatch").touch(mode=0o755)
    assert place("auto", tmp_path, {"PATH": str(tmp_path)}).cluster == "slurm"


@pytest.mark.parametrize(
    ("environment", "file", "kind"),
    [
        ({"APPTAINER_CONTAINER": "/x.sif"}, None, "Apptainer"),
        ({}, ".dockerenv", "Docker"),
        ({}, "run/.containerenv", "Podman"),
        ({"container": "lxc"}, None, "lxc"),
        ({}, None, None),
    ],
)
def test_a_container_is_known_by_its_marks(
    environment: dict[str, str], file: str | None, kind: str | None, tmp_path: Path
) -> None:
    if file is not None:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    assert place("local", tmp_path, {**LOGIN, **environment}).container == kind


def test_a_cluster_that_has_no_file_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"`--cluster` must be one of .*h200"):
        place("h20", tmp_path)
