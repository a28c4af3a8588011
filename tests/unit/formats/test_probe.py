"""The shell lines of probes, carried out by a real shell."""

import subprocess

import pytest

from hakobu.formats.kube.probe import http_command, tcp_command

HTTP = http_command("http://127.0.0.1:80/a?b=c%20d", (("X-It's", 'a "b" $c'),))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (HTTP, "httpGet probe: the image has none of curl, wget, bash\n"),
        (http_command("https://127.0.0.1:80/"), "httpGet probe: the image has none of curl, wget\n"),
        (tcp_command("127.0.0.1", 5432), "tcpSocket probe: the image has none of bash, nc\n"),
    ],
)
def test_an_image_without_tools_says_so(line: str, said: str) -> None:
    done = subprocess.run(["/bin/sh", "-c", line], env={"PATH": "/none"}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, said)


@pytest.mark.parametrize("tool", ["curl", "wget", "bash"])
def test_a_tool_is_given_its_words_whole(tool: str, tmp_path) -> None:
    program = tmp_path / tool
    program.write_text('#!/bin/sh\nfor word; do printf "%s\\n" "$word"; done\n')
    program.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", "-c", HTTP], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    words = done.stdout.splitlines()
    if tool == "bash":
        assert "GET /a?b=c%%20d HTTP/1.0\\r\\nHost: 127.0.0.1:80" in words[1]
    else:
        assert words[-1] == "http://127.0.0.1:80/a?b=c%20d"
        assert words[-2].removeprefix("--header=") == 'X-It\'s: a "b" $c'
