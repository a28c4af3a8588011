"""Events about containers, with the attributes Docker's clients expect of them."""

from collections.abc import Mapping

from hakobu.engine.clock import now_ns
from hakobu.engine.services import Events
from hakobu.spec.container import Container, Endpoint
from hakobu.spec.event import Event
from hakobu.spec.volume import Volume


def container_event(events: Events, container: Container, action: str, **attributes: str) -> None:
    """Publishes `action`; labels come first, so that no label can shadow an attribute of ours."""
    events.publish(
        Event(
            type="container",
            action=action,
            actor_id=container.id,
            time_ns=now_ns(),
            attributes={
                **container.labels,
                "image": container.image_ref,
                "name": container.name,
                **attributes,
            },
            labels=container.spec.labels,
        )
    )


def object_event(events: Events, kind: str, action: str, actor_id: str, **attributes: str) -> None:
    """Publishes what happened to an image or the daemon."""
    events.publish(Event(type=kind, action=action, actor_id=actor_id, time_ns=now_ns(), attributes=attributes))


def network_event(
    events: Events, action: str, network_id: str, name: str, labels: Mapping[str, str], **attributes: str
) -> None:
    """Publishes what happened to a network; `type` is the driver's name."""
    attributes = {**attributes, "name": name}
    event = Event(
        type="network", action=action, actor_id=network_id, time_ns=now_ns(), attributes=attributes, labels=labels
    )
    events.publish(event)


def endpoint_event(events: Events, action: str, container: Container, endpoint: Endpoint) -> None:
    """A container's start or end, as its network sees it: of the container's scope."""
    name, labels = endpoint.network_name, container.spec.labels
    network_event(events, action, endpoint.network_id, name, labels, container=container.id, type=endpoint.driver)


def volume_event(events: Events, action: str, volume: Volume, **attributes: str) -> None:
    attributes = {"driver": volume.driver, **attributes}
    event = Event(
        type="volume",
        action=action,
        actor_id=volume.name,
        time_ns=now_ns(),
        attributes=attributes,
        labels=volume.labels,
    )
    events.publish(event)
