"""What is told while compose works, in each of its styles."""

import json

import pytest

from hakobu.compose.action import Action, Kind
from hakobu.compose.progress import Progress

ACTION = Action(kind=Kind.CREATE_NETWORK, name="p_default")


def test_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    Progress(colour=False).tell(ACTION, "Created")
    assert capsys.readouterr().err == " Network p_default  Created\n"


def test_json_documents(capsys: pytest.CaptureFixture[str]) -> None:
    Progress(as_json=True).tell(ACTION, "Created")
    assert json.loads(capsys.readouterr().err) == {"id": "Network p_default", "status": "Created"}


def test_quiet_tells_only_of_trouble(capsys: pytest.CaptureFixture[str]) -> None:
    quiet = Progress(quiet=True, colour=False)
    quiet.tell(ACTION, "Created")
    quiet.warn("look out")
    assert capsys.readouterr().err == "WARN look out\n"


def test_a_dry_run_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    Progress(colour=False, dry=True).tell(ACTION, "Created")
    assert capsys.readouterr().err == " DRY-RUN MODE - Network p_default  Created\n"
