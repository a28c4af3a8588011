"""The server's side of mutual TLS: its certificate, and the authority that clients' certificates must be of."""

import ssl
from dataclasses import dataclass

from hakobu.errors import Invalid


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Paths of PEM files, under the names of docker's flags without `tls`."""

    cacert: str
    cert: str
    key: str


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """TLS 1.2 or newer; whoever shows no certificate of the authority's gets no further than the handshake.

    Raises `Invalid` with the flag whose file is of no use."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_verify_locations(cafile=files.cacert)
    except OSError as error:
        raise _useless("tlscacert", files.cacert, error) from error
    try:
        context.load_cert_chain(files.cert, files.key)
    except OSError as error:
        raise _useless("tlscert", f"{files.cert}, {files.key}", error) from error
    return context


def _useless(flag: str, path: str, error: OSError) -> Invalid:
    reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
    return Invalid(f"--{flag}: {path}: {reason or error}", field=flag)
