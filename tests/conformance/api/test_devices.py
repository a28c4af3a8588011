"""Devices by CDI specification files, asked for by docker's own flags and by docker-py."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.types import DeviceRequest
from tests.conformance.api.engine import running
from tests.conformance.api.speaker import Speaker
from tests.integration import busybox_image
from tests.integration.daemon import Daemon
from tests.leaks import need

pytestmark = pytest.mark.root

FUZZY = """
cdiVersion: "0.6.0"
kind: acme.example/fuzz
devices:
  - name: one
    containerEdits:
      env: [FUZZ=one]
      deviceNodes:
        - path: /dev/fuzz0
          hostPath: /dev/loop-control
          fileMode: 0o440
          uid: 7
          permissions: r
containerEdits:
  additionalGIDs: [4321]
  mounts:
    - hostPath: FOLDER/driver
      containerPath: /opt/driver
      options: [ro, nosuid, nodev, bind]
  hooks:
    - hookName: createRuntime
      path: /bin/sh
      args: [sh, -c, cat > FOLDER/hooked]
"""


@pytest.fixture
def equipped(isolated_session: None) -> Iterator[Daemon]:
    need(busybox_image.available(), "busybox-static")
    folder = Path(tempfile.mkdtemp(prefix="hakobu-cdi-"))
    (folder / "driver").mkdir()
    (folder / "driver" / "lib").write_text("driver\n")
    (folder / "cdi").mkdir()
    (folder / "cdi" / "fuzz.yaml").write_text(FUZZY.replace("FOLDER", str(folder)))
    gpus = [{"name": n, "containerEdits": {"env": [f"GPU_{n}=1"]}} for n in ("0", "1", "all")]
    gpu = {"cdiVersion": "0.5.0", "kind": "nvidia.com/gpu", "devices": gpus}
    (folder / "cdi" / "gpu.json").write_text(json.dumps(gpu))
    (folder / "cdi" / "broken.json").write_text("{")
    try:
        with running(folder, "--cdi-spec-dir", f"{folder}/cdi") as engine:
            yield engine
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(engine: Daemon, *requests: DeviceRequest) -> list[str]:
    """Lines of what a container with these devices says of itself."""
    client = docker.DockerClient(base_url=engine.url, version="1.51")
    script = (
        "env; ls -ln /dev/fuzz0; (exec 3</dev/fuzz0) && echo opened; (exec 3>/dev/fuzz0); cat /opt/driver/lib; id -G"
    )
    try:
        said = client.containers.run(
            "bb", ["sh", "-c", f"({script}) 2>&1"], device_requests=list(requests), remove=True, stderr=True
        )
    finally:
        client.close()
    return said.decode().splitlines()


def test_a_device_brings_its_node_mount_variables_groups_and_hooks(equipped: Daemon):
    said = run(equipped, DeviceRequest(driver="cdi", device_ids=["acme.example/fuzz=one"]))
    assert "FUZZ=one" in said and "driver" in said
    node = next(line.split() for line in said if line.startswith("cr"))
    assert (node[0], node[2], node[4:6]) == ("cr--r-----", "7", ["10,", "237"])
    assert "opened" in said, said
    assert any("/dev/fuzz0: Operation not permitted" in line for line in said), said  # only r was given
    assert "4321" in said[-1].split()
    state = json.loads((equipped.folder / "hooked").read_text())
    assert state["status"] in ("creating", "created") and state["pid"] > 0


@pytest.mark.parametrize(
    ("request_", "there"),
    [
        (DeviceRequest(count=-1, capabilities=[["gpu"]]), {"GPU_all"}),
        (DeviceRequest(count=2, capabilities=[["gpu"]]), {"GPU_0", "GPU_1"}),
        (DeviceRequest(device_ids=["1"], capabilities=[["gpu"]]), {"GPU_1"}),
    ],
)
def test_gpus_are_those_of_a_specification(equipped: Daemon, request_, there):
    assert {line.partition("=")[0] for line in run(equipped, request_) if line.startswith("GPU_")} == there


def test_what_no_file_describes(equipped: Daemon, api: Speaker, daemon: Daemon):
    for request, text in (
        (
            DeviceRequest(driver="cdi", device_ids=["acme.example/fuzz=two"]),
            "unresolvable CDI devices acme.example/fuzz=two",
        ),
        (DeviceRequest(driver="cdi", device_ids=["fuzz"]), "invalid CDI device name: fuzz"),
        (DeviceRequest(count=3, capabilities=[["gpu"]]), "3 GPUs are wanted and 2 are there"),
    ):
        with pytest.raises(docker.errors.APIError, match=text):
            run(equipped, request)
    without = daemon.docker("run", "--rm", "--gpus", "all", "bb", "true", check=False)
    assert without.returncode == 125
    assert 'could not select device driver "" with capabilities: [[gpu]]' in without.stderr


def test_info_names_directories_and_devices(equipped: Daemon):
    info = Speaker(str(equipped.socket)).json("GET", "/info")
    assert info["CDISpecDirs"] == [f"{equipped.folder}/cdi"]
    assert {d["ID"] for d in info["DiscoveredDevices"]} == {
        "acme.example/fuzz=one", "nvidia.com/gpu=0", "nvidia.com/gpu=1", "nvidia.com/gpu=all"
    }  # fmt: skip
