"""What sites call their GPUs means a row of the table, or nothing: never another board's row."""

import pytest

from telemetry.boards.spellings import board_meant, boards_called
from telemetry.boards.table import BOARDS


# Types and features as centers write them: by hand, as Slurm makes them of the driver's names
# (AutoDetect=nvml), as Perlmutter, Sherlock, Snellius, Puhti, Narval and Cedar do.
@pytest.mark.parametrize(
    ("spelled", "row"),
    [
        *[(word, "a100") for word in ("a100", "A100", "a100_80gb", "a100.80gb", "a100m80")],
        *[(word, "a100") for word in ("nvidia_a100-sxm4-80gb", "nvidia_a100_80gb_pcie", "a100:80")],
        *[(word, "a100-40gb") for word in ("a100_40gb", "a100-40g", "nvidia_a100-sxm4-40gb")],
        *[(word, "a100-40gb") for word in ("nvidia_a100-pcie-40gb", "A100-SXM4-40GB")],
        *[(word, "v100") for word in ("v100", "tesla_v100", "v100s", "v100l", "v100_32gb")],
        *[(word, "v100") for word in ("tesla_v100-sxm2-32gb", "tesla_v100s-pcie-32gb")],
        *[(word, "v100-16gb") for word in ("v100-16", "tesla_v100-sxm2-16gb")],
        *[(word, "h100") for word in ("h100", "nvidia_h100_80gb_hbm3", "h100-sxm5")],
        *[(word, "h100-pcie") for word in ("h100_pcie", "h100pcie", "nvidia_h100_pcie")],
        *[(word, "h100-nvl") for word in ("h100-nvl", "nvidia_h100_nvl", "h100_94gb")],
        *[(word, "h200") for word in ("h200", "nvidia_h200")],
        *[(word, "gh200") for word in ("gh200", "nvidia_gh200_480gb", "nvidia_gh200_120gb")],
        *[(word, "rtx4090") for word in ("rtx_4090", "4090", "nvidia_geforce_rtx_4090")],
        *[(word, "rtx6000-ada") for word in ("rtx_6000_ada", "rtx6000ada")],
        *[(word, word) for word in ("l4", "l40s", "a10", "a30", "a40", "b200", "rtx5090")],
        ("GPU_SKU:A100_SXM4", "a100"),
    ],
)
def test_a_site_s_word_means_the_likeliest_row(spelled: str, row: str) -> None:
    assert boards_called(spelled)[0].name == row


@pytest.mark.parametrize(
    "spelled",
    [
        *("", "gpu", "nvidia", "tesla", "ib", "intel", "80gb", "hbm80g", "sxm4"),
        # Products without a row, of which some begin as one with a row does.
        *("t4", "p100", "k80", "a10g", "a16", "a2", "l40", "a6000", "rtx_3090", "mi250x"),
        *("rtx_6000", "quadro_rtx_6000", "h100_64gb", "a100_sxm_64gb", "nvidia_h200_nvl"),
        # Slices of a board.
        *("a100_1g.5gb", "nvidia_h100_80gb_hbm3_1g.10gb", "3g.20gb"),
    ],
)
def test_a_word_that_is_no_row_s_means_none(spelled: str) -> None:
    assert boards_called(spelled) == ()


@pytest.mark.parametrize("name", list(BOARDS))
def test_a_row_s_own_name_and_what_its_driver_says_mean_that_row(name: str) -> None:
    assert boards_called(name)[0].name == name
    for driver_name in BOARDS[name].driver_names:
        # As Slurm makes a type of it.
        assert boards_called(driver_name.lower().replace(" ", "_"))[0].name == name


@pytest.mark.parametrize(
    ("gpu_type", "features", "row"),
    [
        ("a100", ("gpu", "hbm40g"), "a100-40gb"),
        ("a100", ("gpu", "hbm80g"), "a100"),
        ("", ("amd", "GPU_SKU:A100_SXM4", "GPU_MEM:40GB"), "a100-40gb"),
        ("", ("v100", "ib"), "v100"),
        ("nvidia", ("h100",), "h100"),
        ("", ("ib",), None),
        # The type decides, and two boards of one node are none.
        ("rtx_3090", ("a100",), None),
        ("a100_1g.5gb", ("a100",), None),
        ("", ("a100", "v100"), None),
    ],
)
def test_features_say_what_the_type_leaves_open(
    gpu_type: str, features: tuple[str, ...], row: str | None
) -> None:
    board = board_meant(gpu_type, features)
    assert (None if board is None else board.name) == row
