"""Policies of scoped sockets: what is not named is denied, and what is not known is refused."""

from pathlib import Path

import pytest

from hakobu.errors import Invalid
from hakobu.spec.policy import FEATURES, PERMISSIONS, parse_policy


def test_what_was_parsed_is_what_is_kept():
    policy = parse_policy(
        {
            "name": "ci",
            "allow": ["containers:read", "volumes:*"],
            "labels": {"team": "a"},
            "images": ["nginx:*"],
            "networks": ["bridge"],
            "volumes": ["shared"],
            "binds": ["/srv/a:ro", "/srv/b"],
            "capabilities": ["cap_sys_ptrace", "NET_ADMIN"],
            "features": ["publish"],
            "group": "staff",
        }
    )
    assert policy.allow == {"containers:read", "volumes:read", "volumes:create", "volumes:delete"}
    assert policy.capabilities == {"SYS_PTRACE", "NET_ADMIN"}
    assert parse_policy(policy.to_json()) == policy


def test_a_star_is_written_out_so_that_later_permissions_are_in_no_older_policy():
    policy = parse_policy({"name": "x", "allow": ["containers:*"]})
    assert policy.to_json()["allow"] == sorted(p for p in PERMISSIONS if p.startswith("containers:"))


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ({"name": "x", "allows": []}, "allows"),
        ({"name": "../x", "allow": []}, "../x"),
        ({"name": "", "allow": []}, "''"),
        ({"name": "x" * 64, "allow": []}, "x" * 64),
        ({"name": "x", "allow": ["containers"]}, "containers"),
        ({"name": "x", "allow": ["*:*"]}, "*:*"),
        ({"name": "x", "allow": ["containers:reed"]}, "containers:reed"),
        ({"name": "x", "allow": ["owner"]}, "owner"),
        ({"name": "x", "allow": "containers:read"}, "policy.allow"),
        ({"name": "x", "features": ["root"]}, "root"),
        ({"name": "x", "labels": {"": "a"}}, "label"),
        ({"name": "x", "labels": ["team=a"]}, "labels"),
        ({"name": "x", "binds": ["srv"]}, "srv"),
        ({"name": "x", "binds": ["/srv/../etc"]}, "/srv/../etc"),
        ({"name": "x", "binds": ["/srv:rx"]}, "/srv:rx"),
        ([], "policy"),
    ],
)
def test_what_is_refused_is_named(document, named):
    with pytest.raises(Invalid) as caught:
        parse_policy(document)
    assert named in caught.value.message


def test_the_scope_is_all_of_its_labels():
    policy = parse_policy({"name": "x", "labels": {"team": "a", "stage": "test"}})
    assert policy.covers({"team": "a", "stage": "test", "more": ""})
    assert not policy.covers({"team": "a"})
    assert not policy.covers({"team": "b", "stage": "test"})


def test_a_bind_is_of_one_path_and_no_more():
    policy = parse_policy({"name": "x", "binds": ["/srv/a:ro", "/srv/b"]})
    assert policy.grants_bind("/srv/a", read_only=True)
    assert not policy.grants_bind("/srv/a", read_only=False)
    assert policy.grants_bind("/srv/b", read_only=False)
    for path in ("/srv", "/srv/b/c", "/srv/b/", "/", ""):
        assert not policy.grants_bind(path, read_only=True)


def test_the_page_names_every_permission_and_feature_with_these_words():
    page = (Path(__file__).parents[3] / "docs" / "scoped-sockets.md").read_text()
    for name, text in PERMISSIONS.items():
        assert f"| `{name}` | {text} |" in page
    for name, text in FEATURES.items():
        assert f"| `--feature {name}` | {text} |" in page
