"""What names a host."""

from launcher.forecast.place import cluster_place, machine_place, measured_place

SLURM = {"config": {"cluster": {"executor": "slurm", "name": "h200"}}}
LOCAL = {"config": {"cluster": {"executor": "local", "name": "h200"}}}


def test_any_node_of_a_cluster_is_alike() -> None:
    one, other = (measured_place(SLURM, name, f"GPU-{name}") for name in ("node1", "node2"))
    assert one == other == cluster_place("h200")


def test_machines_of_one_name_differ_by_their_gpu() -> None:
    one, other = (measured_place(LOCAL, "vm", uuid) for uuid in ("GPU-1", "GPU-2"))
    assert one != other
    assert one == machine_place("vm", "GPU-1")


def test_without_a_driver_s_name_of_a_gpu_a_machine_s_name_says_all() -> None:
    assert measured_place({}, "vm", None) == "vm"
    assert measured_place(LOCAL, "vm", "SIM-a100-vm-0") == "vm"
