"""Parts of an image's name, as a pull and a login want them. Pure."""


def split_reference(image: str) -> tuple[str, str]:
    """Repository and tag (or digest) as a pull wants them; the tag is `latest` where none is given."""
    name, at, digest = image.partition("@")
    if at:
        return name, digest
    repository, colon, tag = image.rpartition(":")
    if colon and "/" not in tag:
        return repository, tag
    return image, "latest"


def registry_host(repository: str) -> str:
    """The registry an image's name leads to: its first part where that looks like a host, else Docker Hub."""
    first, slash, _ = repository.partition("/")
    named = slash and ("." in first or ":" in first or first == "localhost")
    return first if named else "docker.io"
