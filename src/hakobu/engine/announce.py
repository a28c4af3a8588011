"""Events about containers, with the attributes Docker's clients expect of them."""

from hakobu.engine.clock import now_ns
from hakobu.engine.services import Events
from hakobu.spec.container import Container
from hakobu.spec.event import Event


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
        )
    )


def object_event(events: Events, kind: str, action: str, actor_id: str, **attributes: str) -> None:
    """Publishes what happened to an image, a network, a volume or the daemon."""
    events.publish(Event(type=kind, action=action, actor_id=actor_id, time_ns=now_ns(), attributes=attributes))
