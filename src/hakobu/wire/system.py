"""Shapes of `/version`, `/info`, `/system/df`, `/auth` and `/events`."""

from typing import NotRequired, TypedDict


class Component(TypedDict):
    Name: str
    Version: str
    Details: dict[str, str]


class Version(TypedDict):
    Platform: dict[str, str]
    Components: list[Component]
    Version: str
    ApiVersion: str
    MinAPIVersion: str
    GitCommit: str
    GoVersion: str
    Os: str
    Arch: str
    KernelVersion: str
    BuildTime: str


class AuthConfig(TypedDict, total=False):
    """What `/auth` takes and `X-Registry-Auth` carries."""

    username: str | None
    password: str | None
    auth: str | None
    email: str | None
    serveraddress: str | None
    identitytoken: str | None
    registrytoken: str | None


class Actor(TypedDict):
    ID: str
    Attributes: dict[str, str]


class Event(TypedDict):
    """`status`, `id` and `from` are the old form, kept for containers and images as Docker does."""

    status: NotRequired[str]
    id: NotRequired[str]
    Type: str
    Action: str
    Actor: Actor
    scope: str
    time: int
    timeNano: int
