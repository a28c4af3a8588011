"""What daemon and shim say to each other: JSON over SEQPACKET, one codec for both sides.

Requests carry `id` and `op`, answers `re` and `ok` or `error`, reports `event`. The first message of each side
is a hello with its protocol's version; a daemon speaks its own version and the one before.
"""

import json
from collections.abc import Mapping, Sequence
from typing import cast

from hakobu.runtime.failure import StepFailed
from hakobu.spec.plan import Attachment, LogTarget, Plan, Stdio
from hakobu.spec.step import Json, Place, Step

PROTOCOL = 1
CONTROL_FD = 3
"""The launcher's end of its socket to the daemon."""
READY, FORK, FORKED = b"r", b"f", b"d"
"""All that daemon and launcher say to each other; beside `FORK` travels the descriptor of the shim's socket."""
Message = dict[str, Json]


def encode(message: Mapping[str, Json]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


def decode(body: bytes) -> Message:
    return cast("Message", json.loads(body))


def steps_to_json(steps: Sequence[Step]) -> list[Json]:
    return [s.to_json() for s in steps]


def steps_from_json(value: Json) -> tuple[Step, ...]:
    told = cast("list[dict[str, Json]]", value)
    return tuple(
        Step(
            cast("str", s["name"]),
            Place(cast("str", s["place"])),
            cast("dict[str, Json]", s["args"]),
            tuple(cast("list[str]", s["syscalls"])),
        )
        for s in told
    )


def plan_to_json(plan: Plan) -> Message:
    return {"container_id": plan.container_id, "steps": steps_to_json(plan.steps)}


def plan_from_json(value: Json) -> Plan:
    told = cast("Message", value)
    return Plan(cast("str", told["container_id"]), steps_from_json(told["steps"]))


def stdio_to_json(stdio: Stdio) -> Message:
    log = stdio.log
    told: Message = {
        "tty": stdio.tty,
        "open_stdin": stdio.open_stdin,
        "stdin_once": stdio.stdin_once,
        "columns": stdio.columns,
        "rows": stdio.rows,
    }
    if log is not None:
        told["log"] = {
            "driver": log.driver,
            "path": log.path,
            "max_bytes": log.max_bytes,
            "max_files": log.max_files,
            "compress": log.compress,
            "attributes": dict(log.attributes) if log.attributes else None,
        }
    return told


def stdio_from_json(value: Json) -> Stdio:
    told = dict(cast("dict[str, object]", value))
    log = cast("dict[str, object] | None", told.pop("log", None))
    target = LogTarget(**log) if log is not None else None  # pyright: ignore[reportArgumentType]
    return Stdio(**told, log=target)  # pyright: ignore[reportArgumentType]


def attachment_to_json(attachment: Attachment) -> Message:
    """Its descriptor travels beside the message."""
    return {
        "stdin": attachment.stdin,
        "stdout": attachment.stdout,
        "stderr": attachment.stderr,
        "stream": attachment.stream,
        "replay_log": attachment.replay_log,
        "already_read": attachment.already_read.decode("latin-1"),
        "detach_keys": attachment.detach_keys.decode("latin-1"),
        "framed": attachment.framed,
    }


def attachment_from_json(value: Json, fd: int) -> Attachment:
    told = cast("Message", value)
    return Attachment(
        fd,
        stdin=bool(told["stdin"]),
        stdout=bool(told["stdout"]),
        stderr=bool(told["stderr"]),
        stream=bool(told["stream"]),
        replay_log=bool(told["replay_log"]),
        already_read=cast("str", told["already_read"]).encode("latin-1"),
        detach_keys=cast("str", told["detach_keys"]).encode("latin-1"),
        framed=cast("bool | None", told.get("framed")),
    )


def error_to_json(error: StepFailed) -> Message:
    return {"step": error.step, "reason": error.message, "exit_code": error.exit_code, "kind": error.kind.value}
