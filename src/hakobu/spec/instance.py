"""An instance: one engine on this host, and every host-visible name derived from its roots.

Several instances live side by side; none ever takes a name of another, because each name carries a tag that
is empty for the default roots and eight hex digits of their SHA-256 otherwise.
"""

import hashlib
from dataclasses import dataclass

DEFAULT_DATA_ROOT = "/var/lib/hakobu"
DEFAULT_EXEC_ROOT = "/run/hakobu"


@dataclass(frozen=True, slots=True)
class Instance:
    """`data_root` and `exec_root` are absolute paths; what is below them is laid out by the properties."""

    data_root: str = DEFAULT_DATA_ROOT
    exec_root: str = DEFAULT_EXEC_ROOT

    @property
    def tag(self) -> str:
        if (self.data_root, self.exec_root) == (DEFAULT_DATA_ROOT, DEFAULT_EXEC_ROOT):
            return ""
        return hashlib.sha256(f"{self.data_root}\0{self.exec_root}".encode()).hexdigest()[:8]

    @property
    def default_bridge(self) -> str:
        """At most 15 bytes, as the kernel's IFNAMSIZ asks."""
        return f"hk-{self.tag}0" if self.tag else "hakobu0"

    def bridge(self, network_id: str) -> str:
        return f"hk-{network_id[:12]}"

    def veth(self, endpoint_id: str) -> str:
        return f"hk{endpoint_id[:10]}"

    @property
    def link_alias(self) -> str:
        """What the alias of an interface made for a network begins with; the network's id follows."""
        return f"hakobu{'-' if self.tag else ''}{self.tag}/"

    @property
    def nft_table(self) -> str:
        return f"hakobu_{self.tag}" if self.tag else "hakobu"

    @property
    def cgroup_parent(self) -> str:
        return f"/hakobu-{self.tag}" if self.tag else "/hakobu"

    @property
    def oci_dir(self) -> str:
        return f"{self.data_root}/oci"

    @property
    def snapshots_dir(self) -> str:
        return f"{self.data_root}/snapshots"

    @property
    def volumes_dir(self) -> str:
        return f"{self.data_root}/volumes"

    def container_dir(self, container_id: str) -> str:
        return f"{self.data_root}/containers/{container_id}"

    @property
    def database(self) -> str:
        return f"{self.data_root}/state.db"

    @property
    def socket(self) -> str:
        return f"{self.exec_root}/hakobu.sock"

    @property
    def tls_socket(self) -> str:
        """Where the process that ends clients' TLS finds the API."""
        return f"{self.exec_root}/tls.sock"

    @property
    def keeper_dir(self) -> str:
        """Of the process that holds a user's namespaces and binds published ports."""
        return f"{self.exec_root}/keeper"

    @property
    def shims_dir(self) -> str:
        return f"{self.exec_root}/shims"
