"""How many CPUs a process may use, from control groups made of plain files."""

import os
from pathlib import Path

import pytest

from lightwork.pool.executor.cpus import usable_cpus

MASK = len(os.sched_getaffinity(0))


@pytest.fixture
def groups(tmp_path: Path) -> Path:
    (tmp_path / "root" / "app" / "web").mkdir(parents=True)
    return tmp_path / "root"


def own_group(folder: Path, text: str) -> Path:
    path = folder / "own"
    path.write_text(text)
    return path


def test_without_control_groups_the_affinity_mask_counts(tmp_path: Path) -> None:
    assert usable_cpus(tmp_path, tmp_path / "missing") == MASK


def test_a_quota_below_the_mask_wins(groups: Path, tmp_path: Path) -> None:
    (groups / "app" / "web" / "cpu.max").write_text("50000 100000\n")

    assert usable_cpus(groups, own_group(tmp_path, "0::/app/web\n")) == 1


def test_a_quota_of_a_group_above_counts_too(groups: Path, tmp_path: Path) -> None:
    (groups / "app" / "web" / "cpu.max").write_text("max 100000\n")
    (groups / "app" / "cpu.max").write_text("100000 100000\n")

    assert usable_cpus(groups, own_group(tmp_path, "0::/app/web\n")) == 1


def test_a_quota_above_the_mask_changes_nothing(groups: Path, tmp_path: Path) -> None:
    (groups / "app" / "web" / "cpu.max").write_text(f"{(MASK + 1) * 100000} 100000\n")

    assert usable_cpus(groups, own_group(tmp_path, "0::/app/web\n")) == MASK


def test_a_part_of_a_cpu_is_rounded_up(groups: Path, tmp_path: Path) -> None:
    (groups / "app" / "cpu.max").write_text("150000 100000\n")

    assert usable_cpus(groups, own_group(tmp_path, "0::/app\n")) == min(2, MASK)


def test_the_old_layout_is_understood(groups: Path, tmp_path: Path) -> None:
    (groups / "cpu" / "app").mkdir(parents=True)
    (groups / "cpu" / "app" / "cpu.cfs_quota_us").write_text("100000\n")
    (groups / "cpu" / "app" / "cpu.cfs_period_us").write_text("100000\n")

    assert usable_cpus(groups, own_group(tmp_path, "4:cpu,cpuacct:/app\n")) == 1


def test_an_unlimited_old_group_changes_nothing(groups: Path, tmp_path: Path) -> None:
    (groups / "cpu" / "app").mkdir(parents=True)
    (groups / "cpu" / "app" / "cpu.cfs_quota_us").write_text("-1\n")
    (groups / "cpu" / "app" / "cpu.cfs_period_us").write_text("100000\n")

    assert usable_cpus(groups, own_group(tmp_path, "4:cpu,cpuacct:/app\n")) == MASK


@pytest.mark.parametrize("text", ["", "garbage garbage", "max", "100000", "100000 0", "-5 7"])
def test_a_file_that_makes_no_sense_changes_nothing(
    groups: Path, tmp_path: Path, text: str
) -> None:
    (groups / "app" / "cpu.max").write_text(text)

    assert usable_cpus(groups, own_group(tmp_path, "0::/app\n")) == MASK
