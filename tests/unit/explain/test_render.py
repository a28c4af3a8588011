"""Steps in words: the plan's own system calls, in its order, with their arguments and times."""

from hakobu.explain.catalogue import load_catalogue
from hakobu.explain.render import explain_step, to_json, to_text
from hakobu.explain.trace import ToldStep, parse_trace
from hakobu.spec.step import Place, Step

ENGLISH, JAPANESE = load_catalogue("en"), load_catalogue("ja")
CLONE = Step("namespaces.clone", Place.SHIM, {"new": ["mount", "pid", "network"], "join": {}}, ("clone3",))
BIND = Step(
    "mount.bind",
    Place.CHILD,
    {"source": "/html", "target": "/usr/share/nginx/html", "recursive": True, "set": 1, "clear": 0},
    ("open_tree", "mount_setattr", "move_mount"),
)


def test_a_clone_shows_its_flags() -> None:
    told = explain_step(ToldStep(CLONE), ENGLISH)
    flags = "CLONE_VM | CLONE_VFORK | CLONE_PARENT | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET"
    assert told.calls == (f"clone3({{flags = {flags}, exit_signal = 0}})",)
    assert told.shell == "unshare --fork --mount --pid --net …"
    assert "/proc/PID/ns" in told.see


def test_a_bind_mount_in_both_languages() -> None:
    english, japanese = (explain_step(ToldStep(BIND, 5, 1_500_000), c, pid=42) for c in (ENGLISH, JAPANESE))
    assert english.what == "Shows /html of the host in the container at /usr/share/nginx/html, read-only."
    assert japanese.what.endswith("/usr/share/nginx/html に見せます（読み取り専用）。")
    assert [call.split("(")[0] for call in english.calls] == list(BIND.syscalls)
    assert english.calls == japanese.calls
    assert "MOUNT_ATTR_RDONLY" in english.calls[1]
    assert "/proc/42/mountinfo" in english.see
    assert english.took_ms == 1.5


def test_a_step_of_a_newer_engine_is_told_by_its_name() -> None:
    told = explain_step(ToldStep(Step("moon.reach", Place.DAEMON, {}, ("launch",))), ENGLISH)
    assert (told.what, told.calls) == ("moon.reach", ("launch(…)",))


def test_traces_from_the_engine() -> None:
    rows = [CLONE.to_json() | {"started_ns": 1000, "took_ns": 2_000_000, "error": ""}, BIND.to_json()]
    trace = parse_trace({"id": "f" * 64, "steps": rows}, name="web", pid=7)
    text = to_text(trace, ENGLISH)
    assert text.startswith("How web was started\n")
    assert "  1. namespaces.clone  [shim]  2.000 ms" in text
    assert "  2. mount.bind  [container]  (not run)" in text
    assert text.endswith("2 steps, 2.00 ms\n")
    document = to_json(trace, JAPANESE)
    assert document["took_ms"] == 2.0
    assert [step["name"] for step in document["steps"]] == ["namespaces.clone", "mount.bind"]  # type: ignore[union-attr, index, call-overload]


def test_a_plan_that_has_not_run() -> None:
    text = to_text(parse_trace({"steps": [CLONE.to_json()]}), JAPANESE)
    assert text.startswith("このコンテナを起動すると行われること\n")
    assert text.endswith("全1ステップ（何も実行していません）\n")
