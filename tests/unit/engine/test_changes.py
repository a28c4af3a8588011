"""The instructions of `commit --change` and `import --change`."""

import pytest

from hakobu.engine.commit import apply_changes
from hakobu.errors import Invalid


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ('CMD ["a","b"]', {"Cmd": ["a", "b"]}),
        ("CMD a b", {"Cmd": ["/bin/sh", "-c", "a b"]}),
        ('ENTRYPOINT ["e"]', {"Entrypoint": ["e"]}),
        ("ENV A=1 B='2 3'", {"Env": ["A=1", "B=2 3"]}),
        ("ENV A hello world", {"Env": ["A=hello world"]}),
        ("EXPOSE 80 53/udp", {"ExposedPorts": {"80/tcp": {}, "53/udp": {}}}),
        ("LABEL a=b", {"Labels": {"a": "b"}}),
        ("USER www", {"User": "www"}),
        ('VOLUME ["/data"]', {"Volumes": {"/data": {}}}),
        ("WORKDIR /w", {"WorkingDir": "/w"}),
        ("STOPSIGNAL SIGQUIT", {"StopSignal": "SIGQUIT"}),
        ("HEALTHCHECK NONE", {"Healthcheck": {"Test": ["NONE"]}}),
        (
            "HEALTHCHECK --interval=5s --retries=2 CMD curl x",
            {"Healthcheck": {"Interval": 5 * 10**9, "Retries": 2, "Test": ["CMD-SHELL", "curl x"]}},
        ),
    ],
)
def test_instructions(change, expected):
    assert apply_changes({}, [change]) == expected


def test_an_entrypoint_drops_the_command_that_was():
    assert apply_changes({"Cmd": ["x"]}, ['ENTRYPOINT ["e"]']) == {"Entrypoint": ["e"]}


def test_variables_replace_by_name():
    assert apply_changes({"Env": ["A=1", "B=2"]}, ["ENV A=3"]) == {"Env": ["A=3", "B=2"]}


@pytest.mark.parametrize("change", ["RUN x", "FROM y", "COPY a b", "HEALTHCHECK curl"])
def test_what_is_no_metadata_is_refused_by_name(change):
    with pytest.raises(Invalid, match=change.split()[0]):
        apply_changes({}, [change])
