"""What goes wrong between a client and a registry, in the words Docker's users know."""

from hakobu.errors import HakobuError, Kind
from hakobu.spec.digest import Digest


class RegistryUnreachable(HakobuError):
    """No endpoint of the registry could be resolved or connected to: Docker's 500, and retried by nobody."""

    kind = Kind.INTERNAL

    def __init__(self, url: str, reason: str) -> None:
        online = "is the machine online, and is the registry's name right?"
        trust = "lay its authority's certificate down as /etc/docker/certs.d/<registry>/ca.crt to trust it"
        super().__init__(f'Get "{url}": {reason}', hint=trust if reason.startswith("tls: ") else online)
        self.url = url


class NotFoundInRegistry(HakobuError):
    kind = Kind.NOT_FOUND


class AccessDenied(HakobuError):
    kind = Kind.DENIED


class Unauthorized(HakobuError):
    kind = Kind.UNAUTHORIZED


class RegistryFailed(HakobuError):
    """The registry answered with something that is of no use, even after all attempts."""

    kind = Kind.INTERNAL


class ForeignRealm(HakobuError):
    """A registry wants credentials to be sent to a host that the user did not name."""

    kind = Kind.DENIED

    def __init__(self, registry: str, realm: str) -> None:
        super().__init__(
            f"registry {registry} asks for credentials to be sent to {realm}, which is refused",
            hint="log out of the registry to pull without credentials, or ask its operator",
        )


class BlobMismatch(HakobuError):
    kind = Kind.DATA_LOSS

    def __init__(self, expected: Digest, found: str) -> None:
        super().__init__(f"filesystem layer verification failed for digest {expected}: got {found}")


class NoSuchPlatform(HakobuError):
    kind = Kind.NOT_FOUND

    def __init__(self, platform: str) -> None:
        super().__init__(f"no matching manifest for {platform} in the manifest list entries")
