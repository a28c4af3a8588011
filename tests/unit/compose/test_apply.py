"""Small pure parts of carrying a plan out: references, conditions."""

import pytest

from hakobu.compose.condition import condition_word
from hakobu.compose.failure import ActionFailed
from hakobu.compose.follow import epoch
from hakobu.compose.image_name import registry_host, split_reference
from hakobu.compose.model.dependency import COMPLETED, HEALTHY


@pytest.mark.parametrize(
    ("image", "repository", "tag"),
    [
        ("nginx", "nginx", "latest"),
        ("nginx:1.25", "nginx", "1.25"),
        ("localhost:5000/a/b", "localhost:5000/a/b", "latest"),
        ("localhost:5000/a:x", "localhost:5000/a", "x"),
        ("a@sha256:00", "a", "sha256:00"),
    ],
)
def test_references(image: str, repository: str, tag: str) -> None:
    assert split_reference(image) == (repository, tag)


@pytest.mark.parametrize(
    ("repository", "host"),
    [
        ("nginx", "docker.io"),
        ("me/app", "docker.io"),
        ("ghcr.io/a/b", "ghcr.io"),
        ("localhost/a", "localhost"),
        ("h:5/a", "h:5"),
    ],
)
def test_a_login_goes_to_the_registry_of_the_name(repository: str, host: str) -> None:
    assert registry_host(repository) == host


@pytest.mark.parametrize(
    ("condition", "state", "word"),
    [
        (HEALTHY, {"Status": "running", "Health": {"Status": "starting"}}, ""),
        (HEALTHY, {"Status": "running", "Health": {"Status": "healthy"}}, "Healthy"),
        (HEALTHY, {"Status": "running"}, "Healthy"),
        (HEALTHY, {"Status": "created"}, ""),
        (COMPLETED, {"Status": "running"}, ""),
        (COMPLETED, {"Status": "exited", "ExitCode": 0}, "Exited"),
    ],
)
def test_conditions(condition: str, state: dict[str, object], word: str) -> None:
    assert condition_word(condition, "p-db-1", "db", state) == word


@pytest.mark.parametrize(
    ("condition", "state", "said"),
    [
        (HEALTHY, {"Status": "running", "Health": {"Status": "unhealthy"}}, "container p-db-1 is unhealthy"),
        (HEALTHY, {"Status": "exited", "ExitCode": 1}, "container p-db-1 exited (1)"),
        (COMPLETED, {"Status": "exited", "ExitCode": 2}, "service 'db' didn't complete successfully: exit 2"),
    ],
)
def test_conditions_that_cannot_be_met_any_more(condition: str, state: dict[str, object], said: str) -> None:
    with pytest.raises(ActionFailed, match=None) as caught:
        condition_word(condition, "p-db-1", "db", state)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("moment", "seconds"),
    [
        ("1970-01-01T00:00:01Z", "1.000000000"),
        ("1970-01-01T00:01:00.5Z", "60.500000000"),
        ("2026-01-02T03:04:05.123456789Z", "1767323045.123456789"),
    ],
)
def test_times_for_since(moment: str, seconds: str) -> None:
    assert epoch(moment) == seconds
