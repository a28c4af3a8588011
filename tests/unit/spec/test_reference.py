"""References as Docker reads and prints them."""

import pytest

from hakobu.errors import Invalid
from hakobu.spec.digest import Digest
from hakobu.spec.reference import BadReference, Reference

HEX = "a" * 64


@pytest.mark.parametrize(
    ("typed", "canonical", "familiar"),
    [
        ("nginx", "docker.io/library/nginx:latest", "nginx:latest"),
        ("nginx:1.27", "docker.io/library/nginx:1.27", "nginx:1.27"),
        ("library/nginx", "docker.io/library/nginx:latest", "nginx:latest"),
        ("docker.io/nginx", "docker.io/library/nginx:latest", "nginx:latest"),
        ("index.docker.io/library/nginx", "docker.io/library/nginx:latest", "nginx:latest"),
        ("user/app", "docker.io/user/app:latest", "user/app:latest"),
        ("docker.io/library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"),
        ("localhost/app", "localhost/app:latest", "localhost/app:latest"),
        ("localhost:5000/app:v1", "localhost:5000/app:v1", "localhost:5000/app:v1"),
        ("ghcr.io/a/b/c:x", "ghcr.io/a/b/c:x", "ghcr.io/a/b/c:x"),
        ("Upper/app", "Upper/app:latest", "Upper/app:latest"),
        (f"nginx@sha256:{HEX}", f"docker.io/library/nginx@sha256:{HEX}", f"nginx@sha256:{HEX}"),
        (f"nginx:a@sha256:{HEX}", f"docker.io/library/nginx:a@sha256:{HEX}", f"nginx:a@sha256:{HEX}"),
    ],
)
def test_docker_reading(typed: str, canonical: str, familiar: str) -> None:
    found = Reference.parse(typed).tagged()
    assert (str(found), found.familiar) == (canonical, familiar)
    assert Reference.parse(found.familiar) == found


@pytest.mark.parametrize(
    "typed",
    ["", "nginx:", ":x", "NGINX", "a//b", "-a", "a/../b", "a b", "nginx@sha256:abc", "nginx:" + "t" * 129, "a" * 300,
     HEX, "x/..", "a\n", "ä", "host:99999999/x", "é/a"],
)  # fmt: skip
def test_refused(typed: str) -> None:
    with pytest.raises(Invalid):
        Reference.parse(typed)


def test_words_of_docker() -> None:
    with pytest.raises(BadReference, match=r"repository name \(library/NGINX\) must be lowercase"):
        Reference.parse("NGINX")
    with pytest.raises(BadReference, match="cannot specify 64-byte hexadecimal strings"):
        Reference.parse(HEX)


def test_with_digest_replaces_the_tag() -> None:
    found = Reference.parse("nginx:1").with_digest(Digest.from_hex(HEX))
    assert found.familiar == f"nginx@sha256:{HEX}"
