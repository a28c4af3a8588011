"""What a stream was compressed with, told by its first bytes.

Apart from `inflate`, so that whoever only asks (the daemon) does not load the libraries that inflate.
"""


def compression_of(start: bytes) -> str:
    """`gzip`, `zstd`, `bzip2`, `xz` or `` for plain; six bytes are enough."""
    if start.startswith(b"\x1f\x8b"):
        return "gzip"
    if start.startswith(b"\x28\xb5\x2f\xfd"):
        return "zstd"
    if start.startswith(b"BZh"):
        return "bzip2"
    return "xz" if start.startswith(b"\xfd7zXZ") else ""
