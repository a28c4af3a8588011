import io
import tarfile
from dataclasses import replace

import pytest

from hakobu.bootstrap.failure import BadRecipe
from hakobu.bootstrap.layer import canonical, parents, with_users, write_layer
from hakobu.bootstrap.recipe import Directory, File, Link, Recipe, User

_EMPTY = Recipe(name="x", description="x", variant="essential", packages=(), suite="trixie")
_EPOCH = 1_700_000_000


def _tar(*members: tuple[str, bytes | str | None]) -> io.BytesIO:
    """A tar of files (bytes), links (str) and folders (None), with times and owners of their own."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.mtime, info.uname, info.uid, info.gid = _EPOCH + 500, "someone", 7, 7
            if content is None:
                info.type = tarfile.DIRTYPE
            elif isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
            else:
                info.size = len(content)
            tar.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    out.seek(0)
    return out


def _written(source: io.BytesIO, recipe: Recipe) -> dict[str, tarfile.TarInfo]:
    out = io.BytesIO()
    write_layer(source, out, recipe, _EPOCH)
    out.seek(0)
    with tarfile.open(fileobj=out) as tar:
        return {member.name: member for member in tar.getmembers()}


def test_documentation_goes_and_licences_stay() -> None:
    members = _written(
        _tar(
            ("./usr/share/man/man1/ls.1", b"x"),
            ("./usr/share/doc/ls", None),
            ("./usr/share/doc/ls/NEWS", b"x"),
            ("./usr/share/doc/ls/copyright", b"x"),
            ("./usr/bin/ls", b"x"),
        ),
        _EMPTY,
    )
    assert set(members) == {"usr/share/doc/ls", "usr/share/doc/ls/copyright", "usr/bin/ls"}


def test_times_are_bounded_and_owners_have_no_names() -> None:
    member = _written(_tar(("./bin", None)), _EMPTY)["bin"]
    assert (member.mtime, member.uname, member.uid) == (_EPOCH, "", 7)


def test_the_same_input_gives_the_same_bytes() -> None:
    recipe = replace(_EMPTY, files=(File("/etc/x", "x"),), links=(Link("/y", "x"),))
    results: list[bytes] = []
    for _ in range(2):
        out = io.BytesIO()
        write_layer(_tar(("./etc", None), ("./etc/passwd", b"root:x:0:0::/root:/bin/sh\n")), out, recipe, _EPOCH)
        results.append(out.getvalue())
    assert results[0] == results[1]


def test_files_replace_the_packages_and_bring_their_folders() -> None:
    recipe = replace(_EMPTY, files=(File("/etc/a.conf", "new"), File("/opt/deep/x", "x", 0o755)))
    members = _written(_tar(("./etc", None), ("./etc/a.conf", b"old content")), recipe)
    assert members["etc/a.conf"].size == 3
    assert members["opt/deep"].isdir() and members["opt/deep/x"].mode == 0o755


def test_an_entry_below_a_link_lands_where_the_link_leads() -> None:
    recipe = replace(_EMPTY, links=(Link("/bin/sh", "dash"),), directories=(Directory("/sbin/x"),))
    members = _written(_tar(("./bin", "usr/bin"), ("./sbin", "/usr/sbin")), recipe)
    assert "bin/sh" not in members and members["usr/bin/sh"].linkname == "dash"
    assert members["usr/sbin/x"].isdir()


def test_no_path_is_written_twice() -> None:
    out = io.BytesIO()
    recipe = replace(_EMPTY, directories=(Directory("/data", 0o700, "5:6"), Directory("/data/x")))
    write_layer(_tar(("./data", None)), out, recipe, _EPOCH)
    out.seek(0)
    with tarfile.open(fileobj=out) as tar:
        members = tar.getmembers()
    assert [member.name for member in members] == ["data", "data/x"]
    assert (members[0].mode, members[0].uid, members[0].gid) == (0o700, 5, 6)


def test_users_take_the_place_of_a_packages_own_account_with_what_it_owned() -> None:
    recipe = replace(_EMPTY, users=(User("redis", 999, 999),), files=(File("/data", "", owner="redis"),))
    passwd = b"root:x:0:0:root:/root:/bin/sh\nredis:x:7:7::/var/lib/redis:/bin/false\n"
    members = _written(_tar(("./etc/passwd", passwd), ("./var/lib/redis", None)), recipe)
    assert (members["var/lib/redis"].uid, members["data"].uid) == (999, 999)
    assert with_users("/etc/passwd", passwd.decode(), recipe.users).count("redis:") == 1


def test_an_owner_that_is_no_account_is_refused() -> None:
    with pytest.raises(BadRecipe):
        _written(_tar(), replace(_EMPTY, files=(File("/x", "", owner="nobody-here"),)))


def test_paths() -> None:
    assert canonical("./usr//bin/.") == "/usr/bin"
    assert list(parents("/usr/bin/x")) == ["/usr", "/usr/bin"]
