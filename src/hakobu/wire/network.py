"""Shapes of `/networks/...` requests."""

from typing import TypedDict

from hakobu.wire.container import EndpointSettings, StringMap


class Pool(TypedDict, total=False):
    Subnet: str | None
    IPRange: str | None
    Gateway: str | None
    AuxiliaryAddresses: StringMap
    AuxAddress: StringMap


class Ipam(TypedDict, total=False):
    Driver: str | None
    Options: StringMap
    Config: list[Pool] | None


class ConfigReference(TypedDict, total=False):
    Network: str | None


class NetworkCreate(TypedDict, total=False):
    Name: str | None
    CheckDuplicate: bool | None
    Driver: str | None
    Scope: str | None
    EnableIPv4: bool | None
    EnableIPv6: bool | None
    IPAM: Ipam | None
    Internal: bool | None
    Attachable: bool | None
    Ingress: bool | None
    ConfigOnly: bool | None
    ConfigFrom: ConfigReference | None
    Options: StringMap
    Labels: StringMap


class NetworkConnect(TypedDict, total=False):
    Container: str | None
    EndpointConfig: EndpointSettings | None


class NetworkDisconnect(TypedDict, total=False):
    Container: str | None
    Force: bool | None
