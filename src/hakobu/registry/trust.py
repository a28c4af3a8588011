"""Which certificates of a registry are believed: the system's authorities, and those the operator laid down for it.

`<folder>/<host[:port]>/` as Docker has it: each `*.crt` is an authority, each `*.cert` with the `*.key` of the same
name is what we show to a registry that asks. A folder that cannot be used is an error that names it, never less trust.
"""

import os
import ssl
from collections.abc import Sequence

from hakobu.errors import HakobuError, Kind
from hakobu.registry.endpoint import Endpoint


class BadCertificates(HakobuError):
    kind = Kind.INVALID

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"certificates of a registry in {path}: {reason}", hint="mend or remove the folder")


def trust_of(endpoint: Endpoint, folders: Sequence[str]) -> ssl.SSLContext | bool:
    """What aiohttp takes for `ssl`: True is the system's authorities, False anybody. Reads files."""
    if endpoint.is_plain:
        return True
    for folder in folders:
        path = f"{folder}/{endpoint.authority}"
        if os.path.isdir(path):
            return _context(path, endpoint.verify)
    return endpoint.verify


def _context(path: str, verify: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        for name in sorted(os.listdir(path)):
            file = f"{path}/{name}"
            if name.endswith(".crt"):
                context.load_verify_locations(file)
            elif name.endswith(".cert"):
                key = f"{file.removesuffix('.cert')}.key"
                if not os.path.exists(key):
                    raise BadCertificates(path, f"missing key {os.path.basename(key)} for client certificate {name}")
                context.load_cert_chain(file, key)
    except OSError as error:  # ssl.SSLError is one, too
        raise BadCertificates(path, str(error)) from error
    return context
