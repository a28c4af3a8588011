from pathlib import Path

import pytest

from hakobu.bootstrap import debian
from hakobu.bootstrap.failure import MissingKeyring, MissingProgram
from hakobu.bootstrap.recipe import Recipe


@pytest.mark.parametrize(
    ("os_release", "suite"),
    [
        ("ID=debian\nVERSION_CODENAME=bookworm\n", "trixie"),
        ('VERSION_CODENAME="bullseye"', "bookworm"),
        ("VERSION_CODENAME=trixie", "trixie"),
        ("ID=ubuntu\nVERSION_CODENAME=noble", "trixie"),
        ("", "trixie"),
    ],
)
def test_the_default_suite_is_the_release_after_the_hosts(os_release: str, suite: str) -> None:
    assert debian.default_suite(os_release) == suite


def test_a_missing_program_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(MissingProgram) as caught:
        debian.find_mmdebstrap((str(tmp_path / "mmdebstrap"),))
    assert caught.value.hint == "apt install mmdebstrap"


def test_a_keyring_without_the_suites_keys_is_refused_before_the_download(tmp_path: Path) -> None:
    (tmp_path / "debian-archive-keyring.gpg").touch()
    with pytest.raises(MissingKeyring):
        debian.keyring_for("trixie", str(tmp_path))
    (tmp_path / "debian-archive-trixie-stable.gpg").touch()
    assert debian.keyring_for("trixie", str(tmp_path)).endswith("debian-archive-keyring.gpg")


def test_the_command_is_a_plain_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def keyring(suite: str) -> str:
        return f"/keys/{suite}"

    monkeypatch.setattr(debian, "keyring_for", keyring)
    recipe = Recipe("x", "x", "essential", ("procps",), suite="trixie", mirror="http://mirror/debian")
    argv = debian.command("/usr/bin/mmdebstrap", recipe, "/out.tar", tmp_path, mode="root")
    assert argv[0] == "/usr/bin/mmdebstrap"
    assert argv[-3:] == ["trixie", "/out.tar", "http://mirror/debian"]
    assert "--include=procps" in argv
    assert "--keyring=/keys/trixie" in argv
