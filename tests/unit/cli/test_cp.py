"""Archives between a container and here: what is packed comes back, and no name leads outside."""

import io
import os
import tarfile

import pytest

from hakobu.cli.failure import Failure
from hakobu.cli.pack import pack
from hakobu.cli.unpack import unpack


def archive(*members) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for info, data in members:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def member(name, kind=tarfile.REGTYPE, link="", mode=0o644):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, mode
    return info


def test_a_tree_goes_out_and_comes_back(tmp_path):
    source, target = tmp_path / "src", tmp_path / "dst"
    (source / "sub").mkdir(parents=True)
    target.mkdir()
    (source / "f").write_bytes(b"x" * 1000)
    (source / "sub/ü").write_text("deep")
    os.link(source / "f", source / "sub/hard")
    os.symlink("../f", source / "sub/soft")
    (source / "f").chmod(0o755)
    assert unpack(iter(pack(str(source), "name")), str(target), "other") == 1004
    assert (target / "other/sub/ü").read_text() == "deep"
    assert (target / "other/sub/soft").readlink().as_posix() == "../f"
    assert (target / "other/f").stat().st_mode & 0o777 == 0o755
    assert (target / "other/sub/hard").stat().st_ino == (target / "other/f").stat().st_ino


def test_contents_without_the_directory_itself(tmp_path):
    data = archive((member("./", tarfile.DIRTYPE), b""), (member("./a"), b"1"))
    unpack(iter([data]), str(tmp_path), "")
    assert (tmp_path / "a").read_bytes() == b"1"


@pytest.mark.parametrize(
    "members",
    [
        [(member("x/../../evil"), b"1")],
        [(member("x/link", tarfile.SYMTYPE, "/"), b""), (member("x/link/evil"), b"1")],
        [(member("x/link", tarfile.SYMTYPE, ".."), b""), (member("x/link/evil", tarfile.DIRTYPE), b"")],
        [(member("x/hard", tarfile.LNKTYPE, "x/../../secret"), b"")],
    ],
)
def test_no_name_leads_outside(tmp_path, members):
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret").write_text("s")
    with pytest.raises(Failure):
        unpack(iter([archive(*members)]), str(inside), "x")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["inside", "secret"]


def test_an_existing_link_is_replaced_not_followed(tmp_path):
    (tmp_path / "victim").write_text("old")
    os.symlink("victim", tmp_path / "f")
    unpack(iter([archive((member("f"), b"new"))]), str(tmp_path), "f")
    assert (tmp_path / "victim").read_text() == "old"
    assert (tmp_path / "f").read_text() == "new" and not (tmp_path / "f").is_symlink()


def test_set_id_bits_do_not_come_out(tmp_path):
    unpack(iter([archive((member("f", mode=0o6755), b""))]), str(tmp_path), "f")
    assert (tmp_path / "f").stat().st_mode & 0o7777 == 0o755
