"""The bodies that make a project's networks and volumes. Pure."""

from hakobu.compose import label
from hakobu.compose.model.project import Network, Project, Volume
from hakobu.spec.step import Json


def network_body(project: Project, network: Network) -> dict[str, Json]:
    pools: list[Json] = []
    for pool in network.pools:
        document: dict[str, Json] = {"Subnet": pool.subnet, "IPRange": pool.ip_range, "Gateway": pool.gateway}
        document["AuxiliaryAddresses"] = dict[str, Json](dict(pool.aux_addresses))
        pools.append({name: value for name, value in document.items() if value})
    body: dict[str, Json] = {
        "Name": network.name,
        "Driver": network.driver or "bridge",
        "Options": dict[str, Json](network.driver_opts),
        "Internal": network.internal,
        "Attachable": network.attachable,
        "Labels": dict[str, Json](label.network_labels(project, network)),
        "CheckDuplicate": True,
    }
    if pools or network.ipam_driver:
        body["IPAM"] = {"Driver": network.ipam_driver, "Config": pools}
    if network.enable_ipv4 is not None:
        body["EnableIPv4"] = network.enable_ipv4
    if network.enable_ipv6 is not None:
        body["EnableIPv6"] = network.enable_ipv6
    return body


def volume_body(project: Project, volume: Volume) -> dict[str, Json]:
    return {
        "Name": volume.name,
        "Driver": volume.driver,
        "DriverOpts": dict[str, Json](volume.driver_opts),
        "Labels": dict[str, Json](label.volume_labels(project, volume)),
    }
