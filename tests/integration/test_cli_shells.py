"""Completion in real shells, with names of a real engine; manual pages as groff and mandoc read them."""

import os
import shutil
import subprocess
import sys

import pytest
from tests.leaks import need

pytestmark = [pytest.mark.root]


@pytest.fixture(scope="module")
def shell_environment(engine, tmp_path_factory):
    """`hakobu` on PATH, the engine chosen, and a container and a network to be found."""
    folder = tmp_path_factory.mktemp("bin")
    (folder / "hakobu").write_text(
        f"#!{sys.executable}\nimport sys\nfrom hakobu.cli.main import main\nsys.exit(main())\n"
    )
    (folder / "hakobu").chmod(0o755)
    engine.hakobu("run", "-d", "--name", "shell-web", "busybox", "sleep", "1000")
    engine.hakobu("network", "create", "shell-net")
    yield {"PATH": f"{folder}:{os.environ['PATH']}", "HAKOBU_HOST": engine.url, "HOME": str(folder), "TERM": "dumb"}
    engine.hakobu("rm", "-f", "shell-web")
    engine.hakobu("network", "rm", "shell-net")


LINES = [
    ("hakobu stop sh", "shell-web"),
    ("hakobu run --network sh", "shell-net"),
    ("hakobu network ins", "inspect"),
    ("hakobu run --read-o", "--read-only"),
]


@pytest.mark.parametrize(("line", "expected"), [*LINES, ("hakobu run --network=sh", "shell-net")])
def test_bash(shell_environment, line, expected):
    program = f"""
        source <(hakobu completion bash)
        COMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}
        read -ra COMP_WORDS <<<"$COMP_LINE"; COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
        _hakobu
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", program], env=shell_environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [expected]


@pytest.mark.parametrize(("line", "expected"), LINES)
def test_fish(shell_environment, line, expected):
    need(shutil.which("fish") is not None, "fish")
    program = f"hakobu completion fish | source; complete -C '{line}'"
    done = subprocess.run(
        ["fish", "--no-config", "-c", program], env=shell_environment, capture_output=True, text=True, check=True
    )
    assert [row.partition("\t")[0] for row in done.stdout.splitlines()] == [expected]


@pytest.mark.parametrize(("line", "expected"), LINES)
def test_zsh(shell_environment, line, expected):
    """The function that zsh calls, in zsh; `_describe`, which takes its findings to the line editor, prints them."""
    need(shutil.which("zsh") is not None, "zsh")
    program = f"""
        compdef() {{ }}
        source <(hakobu completion zsh)
        _describe() {{ print -l -- "${{(P@)4:-${{(@P)3}}}}" }}
        words=({line}); CURRENT=$#words
        _hakobu
    """
    done = subprocess.run(
        ["zsh", "-f", "-c", program], env=shell_environment, capture_output=True, text=True, timeout=60
    )
    assert [row.partition(":")[0] for row in done.stdout.split("\n") if row] == [expected], done.stderr


def test_nothing_is_started_for_a_completion(shell_environment):
    env = {**shell_environment, "HAKOBU_HOST": "unix:///nowhere.sock"}
    done = subprocess.run(["hakobu", "__complete", "zsh", "stop", ""], env=env, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_manual_pages(shell_environment, tmp_path):
    done = subprocess.run(
        ["hakobu", "man", "--dir", "."], env=shell_environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    pages = sorted(tmp_path.glob("*.1"))
    assert done.stdout == f"{len(pages)} pages in .\n" and len(pages) > 100
    run_page = (tmp_path / "hakobu-run.1").read_text()
    assert "\\fB\\-m, \\-\\-memory\\fR" in run_page
    need(shutil.which("groff") is not None, "groff")
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-z", *map(str, pages)], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    need(shutil.which("mandoc") is not None, "mandoc")
    done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", *map(str, pages)], capture_output=True, text=True)
    findings = [row for row in done.stdout.splitlines() if "missing date" not in row]
    assert not findings, findings[:5]
