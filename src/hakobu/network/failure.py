"""What can go wrong with networks, named as facts; the texts are Docker's where it has one."""

from hakobu.errors import HakobuError, Invalid, Kind


class PoolOverlaps(HakobuError):
    kind = Kind.DENIED

    def __init__(self, subnet: str) -> None:
        super().__init__(
            "Pool overlaps with other one on this address space",
            hint=f"{subnet} is in use by another network: hakobu network ls",
        )
        self.subnet = subnet


class PoolsExhausted(HakobuError):
    kind = Kind.DENIED

    def __init__(self) -> None:
        super().__init__(
            "all predefined address pools have been fully subnetted",
            hint="name a subnet (--subnet), or give the daemon more pools (default-address-pools)",
        )


class AddressInUse(HakobuError):
    kind = Kind.DENIED

    def __init__(self, address: str) -> None:
        super().__init__("Address already in use", hint=f"{address} belongs to another endpoint or is reserved")
        self.address = address


class AddressesExhausted(HakobuError):
    kind = Kind.EXHAUSTED

    def __init__(self, network: str, subnet: str) -> None:
        super().__init__(f"no available addresses on this network's address pools: {network} ({subnet})")
        self.subnet = subnet


class AddressOutside(Invalid):
    def __init__(self, address: str, what: str = "IP") -> None:
        super().__init__(
            f"invalid {what} address {address}: It does not belong to any of this network's subnets", field=what
        )
        self.address = address


class UnsupportedDriver(HakobuError):
    kind = Kind.NOT_IMPLEMENTED

    def __init__(self, driver: str) -> None:
        super().__init__(f"network driver {driver} is not supported", hint="bridge, host and none are")
        self.driver = driver


class UnsupportedOption(HakobuError):
    kind = Kind.NOT_IMPLEMENTED

    def __init__(self, option: str, value: str) -> None:
        super().__init__(f"network option {option}={value} is not supported")
        self.option = option


class InterfaceExists(HakobuError):
    kind = Kind.CONFLICT

    def __init__(self, name: str) -> None:
        super().__init__(f"interface already exists: {name}", hint="choose another com.docker.network.bridge.name")
        self.name = name


class NetworkFailed(HakobuError):
    """The kernel refused; `__cause__` has its OSError."""

    def __init__(self, what: str, cause: OSError) -> None:
        lacks = "install libnftables1 (Debian) or nftables-libs" if "libnftables" in str(cause) else ""
        super().__init__(f"failed to {what}: {cause.strerror or cause}", hint=lacks)
