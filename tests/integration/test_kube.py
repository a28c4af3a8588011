"""`hakobu kube`: pods of a Kubernetes file on a real engine, with what they share, keep and answer."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.daemon import Daemon

WEB = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: site}
data:
  default.conf: "server { listen 80; location / { return 200 'MESSAGE'; } }"
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: kube-data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web, tier: front}}
    spec:
      terminationGracePeriodSeconds: 1
      shareProcessNamespace: true
      initContainers:
        - {name: first, image: busybox, command: [sh, -c, echo one >> /work/order],
           volumeMounts: [&work {name: work, mountPath: /work}]}
        - {name: second, image: busybox, command: [sh, -c, echo two >> /work/order], volumeMounts: [*work]}
      containers:
        - name: nginx
          image: nginx
          ports: [{name: http, containerPort: 80, hostPort: 18231, hostIP: 127.0.0.1}]
          readinessProbe: {httpGet: {port: http}, periodSeconds: 1}
          volumeMounts: [{name: conf, mountPath: /etc/nginx/conf.d}]
        - name: tool
          image: busybox
          command: [sleep, '1000']
          volumeMounts: [*work, {name: data, mountPath: /data}]
      volumes:
        - {name: conf, configMap: {name: site}}
        - {name: work, emptyDir: {}}
        - {name: data, persistentVolumeClaim: {claimName: kube-data}}
---
apiVersion: v1
kind: Service
metadata: {name: front}
spec: {selector: {tier: front}, ports: [{port: 80}]}
"""
CLIENT = """\
apiVersion: v1
kind: Pod
metadata: {name: client}
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - {name: client, image: busybox, command: [sleep, '1000']}
"""


def write(folder: Path, text: str = WEB, message: str = "hello") -> str:
    path = folder / "app.yaml"
    path.write_text(text.replace("MESSAGE", message))
    return str(path)


def answer() -> str:
    with urllib.request.urlopen("http://127.0.0.1:18231/", timeout=30) as response:
        return response.read().decode()


def ids(engine: Daemon) -> set[str]:
    return {*engine.docker("ps", "-aq", "--no-trunc").stdout.split()}


def left(engine: Daemon) -> list[str]:
    """Containers, volumes and networks, without the engine's own."""
    lists = [("ps", "-a", "--format", "{{.Names}}"), ("volume", "ls", "-q")]
    lists.append(("network", "ls", "--filter", "type=custom", "--format", "{{.Name}}"))
    return [name for words in lists for name in engine.docker(*words).stdout.split()]


@pytest.fixture
def played(nginx: Daemon, tmp_path: Path) -> Iterator[str]:
    file = write(tmp_path)
    assert nginx.hakobu("kube", "play", "--wait", file).stdout == "web\n"
    yield file
    nginx.hakobu("kube", "down", "--force", write(tmp_path))
    assert [name for name in left(nginx) if name != "hakobu-kube"] == []


def test_a_pod_answers_and_its_containers_share(nginx: Daemon, played: str) -> None:
    assert answer() == "hello"
    assert nginx.hakobu("exec", "web-tool", "cat", "/work/order").stdout == "one\ntwo\n"
    names = [nginx.hakobu("exec", f"web-{name}", "hostname").stdout for name in ("nginx", "tool")]
    assert names == ["web\n", "web\n"]
    spaces = "for n in net ipc pid; do ls -l /proc/self/ns/$n | sed 's/.*-> //'; done"
    first, second = (nginx.hakobu("exec", f"web-{name}", "sh", "-c", spaces).stdout for name in ("nginx", "tool"))
    assert first == second
    assert nginx.hakobu("exec", "web-nginx", "sh", "-c", "echo x > /etc/nginx/conf.d/x", check=False).returncode != 0
    assert nginx.hakobu("inspect", "-f", "{{.State.Health.Status}}", "web-nginx").stdout == "healthy\n"


def test_the_anchor_reaps_what_a_shared_process_namespace_leaves(nginx: Daemon, played: str) -> None:
    orphan = "(sh -c 'sleep 0.2 & echo $!'); while [ -e /proc/$(cat /tmp/p) ]; do sleep 0.05; done; echo reaped"
    made = nginx.hakobu("exec", "web-tool", "sh", "-c", "(sh -c 'sleep 0.2 & echo $! > /tmp/p'); " + orphan)
    assert made.stdout.endswith("reaped\n")
    assert nginx.hakobu("exec", "web-tool", "sh", "-c", "cat /proc/1/comm").stdout == "pause\n"


def test_pods_find_each_other_by_their_names(nginx: Daemon, played: str) -> None:
    nginx.hakobu("kube", "play", "-", stdin=CLIENT)
    for name in ("web", "front"):
        assert nginx.hakobu("exec", "client", "wget", "-qO-", f"http://{name}/").stdout == "hello"
    nginx.hakobu("kube", "down", "-", stdin=CLIENT)


def test_playing_again_changes_nothing_and_replacing_only_what_changed(
    nginx: Daemon, played: str, tmp_path: Path
) -> None:
    before = ids(nginx)
    nginx.hakobu("exec", "web-tool", "touch", "/data/kept")
    assert "Pod web  Unchanged" in nginx.hakobu("kube", "play", played).stderr
    assert "Pod web  Unchanged" in nginx.hakobu("kube", "play", "--replace", played).stderr
    assert ids(nginx) == before
    changed = write(tmp_path, message="changed")
    refused = nginx.hakobu("kube", "play", changed, check=False)
    assert (refused.returncode, refused.stderr.splitlines()[-2]) == (1, "pod web exists already, and is another")
    nginx.hakobu("kube", "play", "--replace", "--wait", changed)
    assert answer() == "changed"
    assert ids(nginx) & before == set()
    assert nginx.hakobu("exec", "web-tool", "ls", "/data").stdout == "kept\n"
    write(tmp_path)


def test_down_leaves_claims_unless_forced(nginx: Daemon, tmp_path: Path) -> None:
    file = write(tmp_path)
    nginx.hakobu("kube", "play", file)
    nginx.hakobu("kube", "down", file)
    assert left(nginx) == ["kube-data"]
    again = nginx.hakobu("kube", "down", "--force", file)
    assert "Pod web  Warning: is not there" in again.stderr
    assert left(nginx) == []


def test_what_is_generated_plays_the_same(nginx: Daemon, played: str) -> None:
    written = nginx.hakobu("kube", "generate", "web")
    assert written.stderr == ""
    nginx.hakobu("kube", "down", played)
    nginx.hakobu("kube", "play", "--wait", "-", stdin=written.stdout)
    assert answer() == "hello"
    assert nginx.hakobu("kube", "generate", "web").stdout == written.stdout


def test_a_job_with_a_secret_ends_and_is_waited_for(engine: Daemon) -> None:
    text = """\
apiVersion: v1
kind: Secret
metadata: {name: pw}
stringData: {password: s3cret}
---
apiVersion: batch/v1
kind: Job
metadata: {name: job}
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: work
          image: busybox
          command: [sh, -c, 'stat -c "%a %n" /s/*; cat /s/password; echo " $PW"']
          env: [{name: PW, valueFrom: {secretKeyRef: {name: pw, key: password}}}]
          volumeMounts: [{name: s, mountPath: /s}]
      volumes: [{name: s, secret: {secretName: pw, defaultMode: 0400}}]
"""
    engine.hakobu("kube", "play", "--wait", "-", stdin=text)
    assert engine.hakobu("logs", "job-work").stdout == "400 /s/password\ns3cret s3cret\n"
    assert "Pod job  Unchanged" in engine.hakobu("kube", "play", "-", stdin=text).stderr
    engine.hakobu("kube", "down", "-", stdin=text)
    assert left(engine) == []


def test_an_init_container_that_fails_fails_the_play(engine: Daemon) -> None:
    text = CLIENT + "  initContainers: [{name: broken, image: busybox, command: ['false']}]\n"
    failed = engine.hakobu("kube", "play", "-", stdin=text, check=False)
    assert failed.returncode == 1
    assert "service 'client-broken' didn't complete successfully: exit 1" in failed.stderr
    engine.hakobu("kube", "down", "-", stdin=text)
    assert left(engine) == []


def test_a_probe_by_http_that_nobody_answers_makes_unhealthy(engine: Daemon) -> None:
    probe = "readinessProbe: {httpGet: {port: 81}, periodSeconds: 1, failureThreshold: 1}"
    text = CLIENT.replace("command:", f"{probe}, command:")
    failed = engine.hakobu("kube", "play", "--wait", "-", stdin=text, check=False)
    assert (failed.returncode, "container client is unhealthy" in failed.stderr) == (1, True)
    log = json.loads(engine.hakobu("inspect", "-f", "{{json .State.Health.Log}}", "client").stdout)
    assert log[-1]["Output"] == "wget: can't connect to remote host (127.0.0.1): Connection refused\n"
    engine.hakobu("kube", "down", "-", stdin=text)


def test_a_compose_project_of_the_name_is_left_alone(engine: Daemon, tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text(
        "name: client\nservices: {a: {image: busybox, command: sleep 1000, stop_grace_period: 0s, volumes: ['d:/d']}}\n"
        "volumes: {d: }\n"
    )
    engine.hakobu("compose", "-f", str(file), "up", "-d")
    failed = engine.hakobu("kube", "play", "-", stdin=CLIENT, check=False)
    assert failed.stderr.splitlines()[0] == "a Compose project is called client already"
    assert "is not there" in engine.hakobu("kube", "down", "-", stdin=CLIENT).stderr
    assert engine.hakobu("compose", "-f", str(file), "ps", "-q").stdout != ""
    engine.hakobu("compose", "-f", str(file), "down")
    engine.hakobu("kube", "down", "-", stdin=CLIENT)
    assert left(engine) == ["client_d"]
    engine.hakobu("volume", "rm", "client_d")
