import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from hakobu.kernel import probe
from hakobu.kernel.probe import Feature

VERSION = probe.kernel_version()


@pytest.fixture(autouse=True)
def honest() -> Iterator[None]:
    probe.pretend(None)
    yield
    probe.pretend(None)


def test_what_the_minimum_kernel_has_is_there() -> None:
    assert VERSION >= probe.MINIMUM_KERNEL
    for feature in (
        Feature.CLONE3, Feature.OPENAT2, Feature.NEW_MOUNT_API, Feature.MOUNT_SETATTR, Feature.PROC_SUBSET_PID,
        Feature.TIME_NAMESPACE, Feature.OVERLAY, Feature.CGROUP_KILL, Feature.CLONE_INTO_CGROUP,
    ):  # fmt: skip
        assert probe.has(feature), feature


@pytest.mark.parametrize(
    ("feature", "since"),
    [
        (Feature.OVERLAY_LOWERDIR_APPEND, (6, 5)),
        (Feature.MOVE_MOUNT_BENEATH, (6, 5)),
        (Feature.STATMOUNT, (6, 8)),
        (Feature.OVERLAY_LAYER_FD, (6, 13)),
        (Feature.XATTRAT, (6, 13)),
        (Feature.MOUNT_ON_DETACHED, (6, 15)),
    ],
)
def test_a_young_feature_is_found_by_doing_it(feature: Feature, since: tuple[int, int]) -> None:
    assert probe.has(feature) == (since <= VERSION)


def test_an_older_kernel_can_be_pretended() -> None:
    probe.pretend((6, 1))
    assert probe.kernel_version() == (6, 1)
    there = {name for name, value in probe.all_features().items() if value}
    assert "mount-setattr" in there
    assert not there & {"statmount", "overlay-lowerdir-append", "overlay-layer-fd", "mount-on-detached", "xattrat"}


def test_the_environment_pretends_as_well() -> None:
    code = "from hakobu.kernel import probe; print(probe.kernel_version(), probe.has(probe.Feature.STATMOUNT))"
    env = {**os.environ, probe.ENVIRONMENT: "5.15", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["(5,", "15)", "False"]
