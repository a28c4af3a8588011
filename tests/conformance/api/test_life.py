"""Health checks and restart policies, by their events and what inspect says."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.conformance.api.receiver import until
from tests.conformance.api.speaker import Speaker

pytestmark = pytest.mark.root

SECOND = 1_000_000_000


def events(api: Speaker, container: str, *names: str) -> Iterator[dict[str, Any]]:
    """What happens to the container from now on, and what happened since the engine started."""
    wanted = json.dumps({"container": [container], "event": list(names)})
    connection = api.open("GET", f"/events?since=1&filters={wanted.replace(' ', '')}")
    response = connection.getresponse()
    try:
        while line := response.readline():
            yield json.loads(line)
    finally:
        connection.close()


def health(api: Speaker, container: str) -> dict[str, Any]:
    return api.json("GET", f"/containers/{container}/json")["State"]["Health"]


def test_failures_of_the_start_period_do_not_count_and_come_at_the_start_interval(api: Speaker):
    check = {
        "Test": ["CMD-SHELL", "echo looked; test -e /ready"],
        "Interval": 3600 * SECOND,
        "StartPeriod": 3600 * SECOND,
        "StartInterval": SECOND // 10,
        "Retries": 1,
    }
    container = api.run("sh", "-c", "read x; touch /ready; exec sleep 1000", OpenStdin=True, Healthcheck=check)
    probed = until(lambda: (h := health(api, container))["Log"] and len(h["Log"]) > 2 and h, lambda: "no probes")
    assert (probed["Status"], probed["FailingStreak"]) == ("starting", 0)
    assert {p["ExitCode"] for p in probed["Log"]} == {1}
    assert {p["Output"] for p in probed["Log"]} == {"looked\n"}
    attached = api.hijack(f"/containers/{container}/attach?stream=1&stdin=1")
    attached.sock.sendall(b"go\n")
    told = next(e for e in events(api, container, "health_status") if "health_status" in e["Action"])
    attached.close()
    assert told["Action"] == "health_status: healthy"
    assert health(api, container)["Log"][-1]["ExitCode"] == 0


def test_unhealthy_after_so_many_failures_and_a_probe_that_hangs_is_ended(api: Speaker):
    check = {"Test": ["CMD", "sleep", "1000"], "Interval": SECOND // 10, "Timeout": SECOND // 2, "Retries": 2}
    container = api.run("sleep", "1000", Healthcheck=check)
    told = next(events(api, container, "health_status"))
    assert told["Action"] == "health_status: unhealthy"
    state = health(api, container)
    assert state["FailingStreak"] >= 2
    assert "Health check exceeded timeout (0.5s)" in state["Log"][0]["Output"]
    rows = until(
        lambda: len(r) if len(r := api.json("GET", f"/containers/{container}/top")["Processes"]) <= 2 else 0,
        lambda: "the probes pile up",
    )
    assert rows <= 2


def test_a_policy_starts_again_after_pauses_that_double_and_gives_up_at_its_count(api: Speaker):
    policy = {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 4}}
    container = api.run("false", host=policy)
    assert until(
        lambda: api.json("GET", f"/containers/{container}/json")["State"]["Status"] == "exited", lambda: "never ended"
    )
    assert api.json("GET", f"/containers/{container}/json")["RestartCount"] == 4
    times: dict[str, list[int]] = {"start": [], "die": []}
    for event in events(api, container, "start", "die"):
        times[event["Action"]].append(event["timeNano"])
        if len(times["die"]) == 5:
            break
    pauses = [(start - die) / SECOND for die, start in zip(times["die"], times["start"][1:], strict=False)]
    assert len(pauses) == 4
    for pause, least in zip(pauses, (0.1, 0.2, 0.4, 0.8), strict=True):
        assert pause >= least


def test_a_stop_ends_the_policy_s_restarts(api: Speaker):
    container = api.run("false", host={"RestartPolicy": {"Name": "always"}})
    until(lambda: api.json("GET", f"/containers/{container}/json")["RestartCount"] > 0, lambda: "no restart")
    assert api.call("POST", f"/containers/{container}/stop?t=0")[0] in (204, 304)
    state = api.json("GET", f"/containers/{container}/json")["State"]
    assert (state["Status"], state["Restarting"]) == ("exited", False)
