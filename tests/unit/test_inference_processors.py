"""How many processors a process may use, with and without a control group's quota."""

import os
from pathlib import Path

import pytest

from inference_code.tarmac_inference.processors import processors

SEEN = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@pytest.mark.parametrize(
    ("quota", "most"),
    [
        ("100000 100000\n", 1),
        ("50000 100000\n", 1),  # half of one is still one
        ("150000 100000\n", 2),
        ("max 100000\n", SEEN),
        ("6400000 100000\n", SEEN),  # more than there are
        ("", SEEN),
        ("rubbish\n", SEEN),
        ("100000 0\n", SEEN),
    ],
)
def test_the_quota_of_a_control_group_is_heeded(tmp_path: Path, quota: str, most: int) -> None:
    (tmp_path / "cpu.max").write_text(quota)

    assert processors(tmp_path) == min(most, SEEN)


@pytest.mark.parametrize(("quota", "most"), [("100000\n", 1), ("-1\n", SEEN)])
def test_the_older_control_groups_say_it_in_two_files(tmp_path: Path, quota: str, most: int) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")

    assert processors(tmp_path) == min(most, SEEN)


def test_without_control_groups_all_that_it_is_allowed_count(tmp_path: Path) -> None:
    assert processors(tmp_path / "nothing") == SEEN
