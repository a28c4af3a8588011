"""What holds once an image's configuration is merged in: Docker's rules."""

import pytest

from hakobu.engine.failures import NoCommand
from hakobu.engine.merge import merge, merge_env, process_env
from hakobu.spec.container import ContainerSpec, Healthcheck

IMAGE = {
    "Entrypoint": ["/entry"],
    "Cmd": ["run"],
    "Env": ["PATH=/bin", "A=1"],
    "WorkingDir": "/w",
    "User": "www",
    "Labels": {"a": "image", "b": "image"},
    "ExposedPorts": {"80/tcp": {}},
    "Volumes": {"/data": {}},
    "StopSignal": "SIGQUIT",
    "Healthcheck": {"Test": ["CMD", "true"], "Interval": 5, "Retries": 2},
}


def merged(**fields):
    return merge(ContainerSpec(image="i", **fields), IMAGE)


def test_the_image_s_values_hold_where_the_user_said_nothing():
    found = merged()
    assert found.entrypoint + found.command == ("/entry", "run")
    assert (found.working_dir, found.user, found.stop_signal) == ("/w", "www", "SIGQUIT")
    assert found.exposed_ports == ("80/tcp",) and found.volumes == ("/data",)


@pytest.mark.parametrize(
    ("fields", "argv"),
    [
        ({"command": ("sh",)}, ("/entry", "sh")),
        ({"entrypoint": ("/mine",)}, ("/mine",)),
        ({"entrypoint": ("/mine",), "command": ("x",)}, ("/mine", "x")),
        ({"entrypoint": (), "command": ("x",)}, ("x",)),
        ({"entrypoint": ("",), "command": ("x",)}, ("x",)),
    ],
)
def test_a_user_s_entrypoint_drops_the_image_s_command(fields, argv):
    found = merged(**fields)
    assert found.entrypoint + found.command == argv


def test_nothing_to_run_is_refused():
    with pytest.raises(NoCommand):
        merge(ContainerSpec(image="i"), {})


def test_variables_override_by_name_in_place_and_a_bare_name_removes():
    assert merge_env(["A=1", "B=2"], ["A=3", "C=4"]) == ("A=3", "B=2", "C=4")
    assert merge_env(["A=1", "B=2"], ["A"]) == ("A", "B=2")
    assert process_env(["A=1", "B=2"], ["A"]) == ("B=2",)
    assert process_env([], ["SECRET"]) == ()


def test_labels_are_joined_and_the_user_s_win():
    assert merged(labels={"b": "user", "c": "user"}).labels == {"a": "image", "b": "user", "c": "user"}


def test_a_check_without_a_test_inherits_the_image_s():
    check = merged(healthcheck=Healthcheck(interval_ns=9)).healthcheck
    assert check.test == ("CMD", "true") and check.interval_ns == 9 and check.retries == 2
    assert merged(healthcheck=Healthcheck(test=("NONE",))).healthcheck.test == ("NONE",)
