from typing import Any

import pytest

from hakobu.errors import Invalid
from hakobu.spec.seccomp import Argument, default_profile, parse_profile, parse_profile_text, resolve
from hakobu.spec.seccomp_default import ALWAYS, BY_CAPABILITY


def test_the_default_list_has_dockers_size() -> None:
    assert len(ALWAYS) == 361
    assert len(BY_CAPABILITY["CAP_SYS_ADMIN"]) == 26
    assert not ALWAYS & {"io_uring_setup", "keyctl", "add_key", "userfaultfd", "bpf", "clone", "socket", "mount"}


def test_capabilities_and_kernels_decide() -> None:
    plain = resolve(default_profile(), frozenset(), "x86_64", "6.1.0-13-amd64")
    names = {name for rule in plain.rules for name in rule.names}
    assert "ptrace" in names and "mount" not in names and "arch_prctl" in names and "breakpoint" not in names
    assert [r.errno_ret for r in plain.rules if r.names == ("clone3",)] == [38]
    assert [r.args for r in plain.rules if r.names == ("clone",)] == [
        (Argument(0, 0x7E020000, 0, "SCMP_CMP_MASKED_EQ"),)
    ]
    assert plain.architectures == ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32")
    old = resolve(default_profile(), frozenset(), "x86_64", "4.4.0")
    assert "ptrace" not in {name for rule in old.rules for name in rule.names}
    admin = resolve(default_profile(), frozenset(("CAP_SYS_ADMIN",)), "aarch64", "6.1.0")
    names = {name for rule in admin.rules for name in rule.names}
    assert {"mount", "clone3", "breakpoint"} <= names
    assert not [r for r in admin.rules if r.names == ("clone3",)]


DOCKERS: dict[str, Any] = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
    "syscalls": [
        {"names": ["read", "write"], "action": "SCMP_ACT_ALLOW", "comment": "", "includes": {}, "excludes": {}},
        {"name": "mkdir", "action": "SCMP_ACT_TRACE", "args": None},
        {
            "names": ["clone"],
            "action": "SCMP_ACT_ALLOW",
            "args": [{"index": 0, "value": 1, "valueTwo": 2, "op": "SCMP_CMP_MASKED_EQ"}],
            "includes": {"caps": ["CAP_X"], "arches": ["amd64"], "minKernel": "4.8"},
        },
    ],
}


def test_dockers_shape_is_read() -> None:
    profile = parse_profile(DOCKERS)
    assert profile.architectures == {"SCMP_ARCH_X86_64": ("SCMP_ARCH_X86",)}
    assert [rule.names for rule in profile.rules] == [("read", "write"), ("mkdir",), ("clone",)]
    with_cap = resolve(profile, frozenset(("CAP_X",)), "x86_64", "5.15")
    assert len(with_cap.rules) == 3 and with_cap.default_errno_ret == 1
    assert len(resolve(profile, frozenset(), "x86_64", "5.15").rules) == 2
    assert len(resolve(profile, frozenset(("CAP_X",)), "x86_64", "4.7").rules) == 2
    assert with_cap.to_json() == resolve(profile, frozenset(("CAP_X",)), "x86_64", "6.1").to_json()


def test_ocis_shape_is_read() -> None:
    profile = parse_profile(
        {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X86_64"], "syscalls": []}
    )
    assert resolve(profile, frozenset(), "x86_64", "6").architectures == ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86")


def test_an_empty_object_is_the_default() -> None:
    assert parse_profile({}) == default_profile()
    assert parse_profile_text("{}") == default_profile()


def _rule(**more: Any) -> dict[str, Any]:
    return {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ERRNO", **more}]}


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ([], ""),
        ({"defaultAction": "SCMP_ACT_NOTIFY"}, "defaultAction"),
        ({"defaultAction": "allow"}, "defaultAction"),
        ({"syscalls": []}, "defaultAction"),
        ({"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 4096}, "defaultErrnoRet"),
        ({"defaultAction": "SCMP_ACT_ALLOW", "extra": 1}, "extra"),
        ({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/x"}, "listenerPath"),
        ({"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_NEW_LISTENER"]}, "flags[0]"),
        ({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": {}}, "syscalls"),
        (_rule(action="SCMP_ACT_NOTIFY"), "syscalls[0].action"),
        (_rule(names=["Read"]), "syscalls[0].names[0]"),
        (_rule(names=[]), "syscalls[0].names"),
        (_rule(name="write"), "syscalls[0].name"),
        (_rule(args=[{"index": 6, "value": 1, "op": "SCMP_CMP_EQ"}]), "syscalls[0].args[0].index"),
        (_rule(args=[{"index": 0, "value": -1, "op": "SCMP_CMP_EQ"}]), "syscalls[0].args[0].value"),
        (_rule(args=[{"index": 0, "value": 1, "op": "EQ"}]), "syscalls[0].args[0].op"),
        (_rule(includes={"minKernel": "four"}), "syscalls[0].includes.minKernel"),
        (_rule(excludes={"kernel": "4"}), "syscalls[0].excludes.kernel"),
        (_rule(errnoRet=True), "syscalls[0].errnoRet"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(value: Any, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_profile(value)
    assert caught.value.field == field


@pytest.mark.parametrize("text", ["", "nonsense", "[" * 100000, "1" * 5000, "{" + " " * (1 << 20) + "}"])
def test_text_that_is_no_profile_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_profile_text(text)
