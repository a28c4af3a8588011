"""Resource limits of a container in OCI's words (`linux.resources` of the runtime configuration).

Pure values, parsed once: a number out of range or of the wrong type is refused with the field's full name, so
that `kernel/cgroup` never sees one. None or an empty value means: leave what the kernel has.
Units are OCI's: bytes, microseconds (cpu quota and period), -1 for unlimited where OCI says so.
"""

from collections.abc import Callable, Mapping
from typing import Literal, TypeVar, cast

from hakobu.errors import Invalid
from hakobu.spec.dataclass import dataclass, field
from hakobu.spec.step import Json

_INT64_MAX = 2**63 - 1
_UINT64_MAX = 2**64 - 1
_UINT32_MAX = 2**32 - 1
_MAX_ITEMS = 4096
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRule:
    """One rule of the device cgroup; None for `major` or `minor` means all. `access` is of the letters r, w, m."""

    allow: bool
    type: Literal["a", "b", "c"] = "a"
    major: int | None = None
    minor: int | None = None
    access: str = "rwm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """`swap` is memory plus swap together, as in cgroup v1; -1 is unlimited."""

    limit: int | None = None
    reservation: int | None = None
    swap: int | None = None
    swappiness: int | None = None
    disable_oom_killer: bool = False
    check_before_update: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cpu:
    """`shares` on cgroup v1's scale (2..262144, default 1024); `cpus` and `mems` are lists like `0-2,5`."""

    shares: int | None = None
    quota: int | None = None
    burst: int | None = None
    period: int | None = None
    realtime_runtime: int | None = None
    realtime_period: int | None = None
    cpus: str = ""
    mems: str = ""
    idle: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightDevice:
    """A weight for one block device, on the scale of cgroup v1."""

    major: int
    minor: int
    weight: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ThrottleDevice:
    """`rate` is in bytes or operations a second, by the list it stands in."""

    major: int
    minor: int
    rate: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockIO:
    """`weight` on cgroup v1's scale (10..1000)."""

    weight: int | None = None
    weight_device: tuple[WeightDevice, ...] = ()
    throttle_read_bps_device: tuple[ThrottleDevice, ...] = ()
    throttle_write_bps_device: tuple[ThrottleDevice, ...] = ()
    throttle_read_iops_device: tuple[ThrottleDevice, ...] = ()
    throttle_write_iops_device: tuple[ThrottleDevice, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HugepageLimit:
    """`page_size` in the kernel's spelling, such as `2MB`."""

    page_size: str
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """All limits of one container. `unified` are files of cgroup v2 by name, written as they stand."""

    devices: tuple[DeviceRule, ...] = ()
    memory: Memory = Memory()
    cpu: Cpu = Cpu()
    pids_limit: int | None = None
    block_io: BlockIO = BlockIO()
    hugepage_limits: tuple[HugepageLimit, ...] = ()
    network_class_id: int | None = None
    network_priorities: Mapping[str, int] = field(default_factory=dict[str, int])
    rdma: Mapping[str, Mapping[str, int]] = field(default_factory=dict[str, Mapping[str, int]])
    unified: Mapping[str, str] = field(default_factory=dict[str, str])

    def to_json(self) -> dict[str, Json]:
        return _resources_to_json(self)


# What may access which device by default, for every container that is not privileged (Docker's list):
# mknod of everything, use of the harmless nodes, pseudo terminals and tun; fuse refused by name.
DEFAULT_DEVICE_RULES: tuple[DeviceRule, ...] = (
    DeviceRule(allow=False),
    DeviceRule(allow=True, type="c", access="m"),
    DeviceRule(allow=True, type="b", access="m"),
    *(
        DeviceRule(allow=True, type="c", major=major, minor=minor)
        for major, minor in ((1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2), (136, None), (10, 200))
    ),
    DeviceRule(allow=False, type="c", major=10, minor=229),
)


def _object(value: object, name: str) -> dict[str, object]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Invalid(f"{name} must be an object", field=name)
    return cast("dict[str, object]", value)


def _list(value: object, name: str, parse: Callable[[dict[str, object], str], _T]) -> tuple[_T, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise Invalid(f"{name} must be a list", field=name)
    items = cast("list[object]", value)
    if len(items) > _MAX_ITEMS:
        raise Invalid(f"{name} has more than {_MAX_ITEMS} entries", field=name)
    return tuple(parse(_object(item, f"{name}[{i}]"), f"{name}[{i}]") for i, item in enumerate(items))


def _int(source: dict[str, object], key: str, name: str, low: int, high: int) -> int | None:
    value = source.get(key)
    if value is None:
        return None
    if type(value) is not int or not low <= value <= high:
        raise Invalid(f"{name}.{key} must be a whole number from {low} to {high}", field=f"{name}.{key}")
    return value


def _need_int(source: dict[str, object], key: str, name: str, low: int, high: int) -> int:
    value = _int(source, key, name, low, high)
    if value is None:
        raise Invalid(f"{name}.{key} is missing", field=f"{name}.{key}")
    return value


def _bool(source: dict[str, object], key: str, name: str) -> bool:
    value = source.get(key, False)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise Invalid(f"{name}.{key} must be true or false", field=f"{name}.{key}")
    return value


def _text(source: dict[str, object], key: str, name: str, allowed: str = "") -> str:
    value = source.get(key, "")
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > 4096 or (allowed and not set(value) <= set(allowed)):
        raise Invalid(f"{name}.{key} is not acceptable: {value!r}", field=f"{name}.{key}")
    return value


def _device(source: dict[str, object], name: str) -> DeviceRule:
    kind = _text(source, "type", name) or "a"
    if kind not in ("a", "b", "c", "u"):
        raise Invalid(f"{name}.type must be a, b or c: {kind!r}", field=f"{name}.type")
    access = _text(source, "access", name, allowed="rwm") or "rwm"
    major, minor = (_int(source, key, name, -1, _UINT32_MAX) for key in ("major", "minor"))
    return DeviceRule(
        allow=_bool(source, "allow", name),
        type="c" if kind == "u" else kind,
        major=None if major == -1 else major,
        minor=None if minor == -1 else minor,
        access="".join(letter for letter in "rwm" if letter in access),
    )


def _memory(source: dict[str, object], name: str) -> Memory:
    return Memory(
        limit=_int(source, "limit", name, -1, _INT64_MAX),
        reservation=_int(source, "reservation", name, -1, _INT64_MAX),
        swap=_int(source, "swap", name, -1, _INT64_MAX),
        swappiness=_int(source, "swappiness", name, 0, 200),
        disable_oom_killer=_bool(source, "disableOOMKiller", name),
        check_before_update=_bool(source, "checkBeforeUpdate", name),
    )


def _cpu(source: dict[str, object], name: str) -> Cpu:
    list_letters = "0123456789,-"
    return Cpu(
        shares=_int(source, "shares", name, 0, _UINT64_MAX),
        quota=_int(source, "quota", name, -1, _INT64_MAX),
        burst=_int(source, "burst", name, 0, _UINT64_MAX),
        period=_int(source, "period", name, 0, _UINT64_MAX),
        realtime_runtime=_int(source, "realtimeRuntime", name, -1, _INT64_MAX),
        realtime_period=_int(source, "realtimePeriod", name, 0, _UINT64_MAX),
        cpus=_text(source, "cpus", name, allowed=list_letters),
        mems=_text(source, "mems", name, allowed=list_letters),
        idle=_int(source, "idle", name, 0, 1),
    )


def _weight_device(source: dict[str, object], name: str) -> WeightDevice:
    return WeightDevice(
        major=_need_int(source, "major", name, 0, _UINT32_MAX),
        minor=_need_int(source, "minor", name, 0, _UINT32_MAX),
        weight=_int(source, "weight", name, 0, 1000),
    )


def _throttle_device(source: dict[str, object], name: str) -> ThrottleDevice:
    return ThrottleDevice(
        major=_need_int(source, "major", name, 0, _UINT32_MAX),
        minor=_need_int(source, "minor", name, 0, _UINT32_MAX),
        rate=_need_int(source, "rate", name, 0, _UINT64_MAX),
    )


def _block_io(source: dict[str, object], name: str) -> BlockIO:
    def throttles(key: str) -> tuple[ThrottleDevice, ...]:
        return _list(source.get(key), f"{name}.{key}", _throttle_device)

    return BlockIO(
        weight=_int(source, "weight", name, 0, 1000),
        weight_device=_list(source.get("weightDevice"), f"{name}.weightDevice", _weight_device),
        throttle_read_bps_device=throttles("throttleReadBpsDevice"),
        throttle_write_bps_device=throttles("throttleWriteBpsDevice"),
        throttle_read_iops_device=throttles("throttleReadIOPSDevice"),
        throttle_write_iops_device=throttles("throttleWriteIOPSDevice"),
    )


def _hugepage(source: dict[str, object], name: str) -> HugepageLimit:
    size = _text(source, "pageSize", name, allowed="0123456789KMGB")
    if not size:
        raise Invalid(f"{name}.pageSize is missing", field=f"{name}.pageSize")
    return HugepageLimit(page_size=size, limit=_need_int(source, "limit", name, 0, _UINT64_MAX))


def _priority(source: dict[str, object], name: str) -> tuple[str, int]:
    return _text(source, "name", name), _need_int(source, "priority", name, 0, _UINT32_MAX)


def _rdma(source: dict[str, object], name: str) -> dict[str, Mapping[str, int]]:
    found: dict[str, Mapping[str, int]] = {}
    for device, limits in source.items():
        where = f"{name}.{device}"
        values = {key: _int(_object(limits, where), key, where, 0, _UINT32_MAX) for key in ("hcaHandles", "hcaObjects")}
        found[device] = {key: value for key, value in values.items() if value is not None}
    return found


def _unified(source: dict[str, object], name: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for key in source:
        # A key is a file of the cgroup's directory and nothing else: `memory.high`, never a path.
        if "/" in key or key.startswith((".", "cgroup.")) or "." not in key:
            raise Invalid(f"{name}.{key} is not the name of a controller's file", field=f"{name}.{key}")
        found[key] = _text(source, key, name)
    return found


def parse_resources(value: object, name: str = "linux.resources") -> Resources:
    """`linux.resources` of an OCI runtime configuration, already decoded from JSON; `Invalid` names the field."""
    source = _object(value, name)
    network = _object(source.get("network"), f"{name}.network")
    return Resources(
        devices=_list(source.get("devices"), f"{name}.devices", _device),
        memory=_memory(_object(source.get("memory"), f"{name}.memory"), f"{name}.memory"),
        cpu=_cpu(_object(source.get("cpu"), f"{name}.cpu"), f"{name}.cpu"),
        pids_limit=_int(_object(source.get("pids"), f"{name}.pids"), "limit", f"{name}.pids", -1, _INT64_MAX),
        block_io=_block_io(_object(source.get("blockIO"), f"{name}.blockIO"), f"{name}.blockIO"),
        hugepage_limits=_list(source.get("hugepageLimits"), f"{name}.hugepageLimits", _hugepage),
        network_class_id=_int(network, "classID", f"{name}.network", 0, _UINT32_MAX),
        network_priorities=dict(_list(network.get("priorities"), f"{name}.network.priorities", _priority)),
        rdma=_rdma(_object(source.get("rdma"), f"{name}.rdma"), f"{name}.rdma"),
        unified=_unified(_object(source.get("unified"), f"{name}.unified"), f"{name}.unified"),
    )


def _given(**values: Json) -> dict[str, Json]:
    """Only what says something: no None, no empty text, list or object, no False."""
    return {key: value for key, value in values.items() if value is not None and value not in ("", [], {}, False)}


def _given_numbers(**values: int | None) -> dict[str, Json]:
    return {key: value for key, value in values.items() if value is not None}


def _throttles_to_json(devices: tuple[ThrottleDevice, ...]) -> list[Json]:
    return [{"major": d.major, "minor": d.minor, "rate": d.rate} for d in devices]


def _device_to_json(rule: DeviceRule) -> Json:
    numbers = _given_numbers(major=rule.major, minor=rule.minor)
    return {"allow": rule.allow, "type": rule.type, **numbers, "access": rule.access}


def _memory_to_json(m: Memory) -> dict[str, Json]:
    numbers = _given_numbers(limit=m.limit, reservation=m.reservation, swap=m.swap, swappiness=m.swappiness)
    return numbers | _given(disableOOMKiller=m.disable_oom_killer, checkBeforeUpdate=m.check_before_update)


def _cpu_to_json(c: Cpu) -> dict[str, Json]:
    numbers = _given_numbers(shares=c.shares, quota=c.quota, burst=c.burst, period=c.period, idle=c.idle)
    realtime = _given_numbers(realtimeRuntime=c.realtime_runtime, realtimePeriod=c.realtime_period)
    return numbers | realtime | _given(cpus=c.cpus, mems=c.mems)


def _block_io_to_json(b: BlockIO) -> dict[str, Json]:
    weights: list[Json] = [
        {"major": d.major, "minor": d.minor, **_given_numbers(weight=d.weight)} for d in b.weight_device
    ]
    return _given_numbers(weight=b.weight) | _given(
        weightDevice=weights,
        throttleReadBpsDevice=_throttles_to_json(b.throttle_read_bps_device),
        throttleWriteBpsDevice=_throttles_to_json(b.throttle_write_bps_device),
        throttleReadIOPSDevice=_throttles_to_json(b.throttle_read_iops_device),
        throttleWriteIOPSDevice=_throttles_to_json(b.throttle_write_iops_device),
    )


def _resources_to_json(r: Resources) -> dict[str, Json]:
    priorities: list[Json] = [{"name": name, "priority": value} for name, value in r.network_priorities.items()]
    network = _given_numbers(classID=r.network_class_id) | _given(priorities=priorities)
    return _given(
        devices=[_device_to_json(rule) for rule in r.devices],
        memory=_memory_to_json(r.memory),
        cpu=_cpu_to_json(r.cpu),
        pids=_given_numbers(limit=r.pids_limit),
        blockIO=_block_io_to_json(r.block_io),
        hugepageLimits=[{"pageSize": h.page_size, "limit": h.limit} for h in r.hugepage_limits],
        network=network,
        rdma={device: dict(limits) for device, limits in r.rdma.items()},
        unified=dict(r.unified),
    )
