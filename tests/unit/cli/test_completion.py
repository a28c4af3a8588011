"""What may come next on a command line."""

import pytest

from hakobu.cli.command.completion import _words
from hakobu.cli.completion.candidate import candidates

OBJECTS = {
    ("container", "running"): ["web"],
    ("container", "running restarting"): ["web"],
    ("container", ""): ["web", "old"],
    ("network", ""): ["bridge", "front"],
    ("volume", ""): ["data"],
    ("image", ""): ["nginx"],
    ("context", ""): ["default", "far"],
    ("any", ""): ["web", "nginx"],
}


def complete(line: str) -> tuple[list[str], bool]:
    found, files = candidates(line.split(" "), lambda kind, states: [(n, kind) for n in OBJECTS[kind, states]])
    return [word for word, _ in found], files


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("st", ["start", "stats", "stop"]),
        ("network c", ["connect", "create"]),
        ("stop ", ["web"]),
        ("container stop ", ["web"]),
        ("rm old ", ["web"]),
        ("-H unix:///x rm ", ["old", "web"]),
        ("--host=unix:///x rm w", ["web"]),
        ("-c ", ["default", "far"]),
        ("run --network ", ["bridge", "front"]),
        ("run --network=f", ["--network=front"]),
        ("run --restart ", ["always", "no", "on-failure", "unless-stopped"]),
        ("run --rm ", ["nginx"]),
        ("run -it --name x ", ["nginx"]),
        ("run nginx --", []),
        ("exec -i ", ["web"]),
        ("network connect ", ["bridge", "front"]),
        ("network connect front ", ["old", "web"]),
        ("network connect front web ", []),
        ("inspect ng", ["nginx"]),
        ("logs --tai", ["--tail"]),
        ("completion ", ["bash", "fish", "powershell", "zsh"]),
        ("run --sig-proxy=", ["--sig-proxy=false", "--sig-proxy=true"]),
        ("run --name ", []),
        ("service l", ["logs", "ls"]),
    ],
)
def test_candidates(line, expected):
    assert complete(line)[0] == expected


@pytest.mark.parametrize("line", ["run -v ", "load -i ", "run --env-file ", "context import x "])
def test_paths_are_welcome(line):
    assert complete(line)[1]


def test_every_flag_is_offered():
    assert {"-m", "--memory", "--rm", "--help"} <= set(complete("run -")[0])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("hakobu ", ([""], 0)),
        ("hakobu rm we", (["rm", "we"], 0)),
        ("hakobu run 'a b' ", (["run", "a b", ""], 0)),
        ("hakobu run --name 'a b", (["run", "--name", "a b"], 0)),
        ("hakobu run --network=br", (["run", "--network=br"], 10)),
        ("hakobu cp web:/e", (["cp", "web:/e"], 4)),
    ],
)
def test_bash_gives_its_line(line, expected):
    assert _words("bash", line) == expected
