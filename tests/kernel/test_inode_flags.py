import array
import errno
import fcntl
import os
from pathlib import Path

import pytest

from hakobu.kernel.inode_flags import FS_TOPDIR_FL, add_flags

FS_IOC_GETFLAGS = 0x80086601
FS_NODUMP_FL = 0x40


def flags_of(path: Path) -> int:
    found = array.array("l", [0])
    fd = os.open(path, os.O_RDONLY)
    fcntl.ioctl(fd, FS_IOC_GETFLAGS, found)
    os.close(fd)
    return found[0]


def test_flags_are_added_to_those_that_are_there(tmp_path: Path) -> None:
    try:
        add_flags(str(tmp_path), FS_NODUMP_FL)
        add_flags(str(tmp_path), FS_TOPDIR_FL)
    except OSError as error:
        assert error.errno in (errno.EOPNOTSUPP, errno.ENOTTY)
        pytest.skip("this file system has no such flags")
    assert flags_of(tmp_path) & (FS_NODUMP_FL | FS_TOPDIR_FL) == FS_NODUMP_FL | FS_TOPDIR_FL
    (tmp_path / "below").mkdir()
    assert not flags_of(tmp_path / "below") & FS_TOPDIR_FL, "the hint is about the directory's own entries"


def test_a_file_system_without_flags_says_so() -> None:
    with pytest.raises(OSError) as told:
        add_flags("/proc/self", FS_TOPDIR_FL)
    assert told.value.errno in (errno.EOPNOTSUPP, errno.ENOTTY)
