"""A service's published ports in few characters, as a tree shows them. Pure."""

from hakobu.compose.model.service import Service


def published(service: Service) -> str:
    """`8080→80`, as far as the files say it; empty where nothing is published."""
    return " ".join(f"{port.published or '*'}→{port.target}" for port in service.ports)
