"""Kubernetes files: what they become, what is refused with its place, and that they come out again."""

import pytest

from hakobu.compose.config import to_yaml
from hakobu.compose.failure import BadComposeFile
from hakobu.compose.model.project import Project
from hakobu.formats.document import project_of
from hakobu.formats.kube.object import KINDS
from hakobu.formats.kube.reader import KubeFile, read_kube, whole_document
from hakobu.formats.kube.writer import write_kube
from hakobu.formats.pod import pods_of

FILES = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: conf}
data: {site.conf: "listen 80;", MODE: fast, EMPTY: ""}
---
apiVersion: v1
kind: Secret
metadata: {name: pw}
stringData: {password: s3cret}
data: {token: dG9rZW4=}
---
"""
HEAD = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, labels: {tier: front}}\nspec:\n"


def project(text: str) -> Project:
    return project_of(whole_document(read(text).pods), "app")


def read(text: str) -> KubeFile:
    return read_kube(text, "app.yaml")


def pod(spec: str, files: str = "") -> Project:
    return project(files + HEAD + "".join(f"  {line}\n" for line in spec.splitlines()))


def refusal(text: str) -> str:
    with pytest.raises(BadComposeFile) as raised:
        read(text)
    return str(raised.value)


def test_a_pod_of_one_container_is_that_container() -> None:
    made = pod(
        "containers: [{name: nginx, image: nginx, ports: [{containerPort: 80, hostPort: 8080, hostIP: 127.0.0.1}]}]"
    )
    web = made.services["web-nginx"]
    assert [*made.services] == ["web-nginx"]
    assert [(p.target, p.published, p.host_ip) for p in web.ports] == [(80, "8080", "127.0.0.1")]
    assert (web.hostname, web.restart, web.stop_grace_period) == ("web", "always", 30 * 10**9)
    assert web.labels == {"tier": "front"}
    assert web.networks["default"].aliases == ("web",)


def test_a_pod_of_several_shares_the_namespaces_of_its_anchor() -> None:
    made = pod("shareProcessNamespace: true\ncontainers: [{name: a, image: x}, {name: b, image: y}]")
    assert [*made.services] == ["web-a", "web-b", "web-infra"]
    for name in ("web-a", "web-b"):
        service = made.services[name]
        assert (service.network_mode, service.ipc, service.pid) == ("service:web-infra",) * 3
    assert made.services["web-infra"].ipc == "shareable"
    (found,) = pods_of(made)
    assert (found.name, found.is_paused, [s.name for s in found.members]) == ("web", True, ["web-a", "web-b"])


def test_init_containers_run_in_order_and_sidecars_run_on() -> None:
    made = pod(
        "initContainers:\n"
        "  - {name: one, image: x}\n"
        "  - {name: log, image: x, restartPolicy: Always, startupProbe: {exec: {command: [ready]}}}\n"
        "  - {name: two, image: x}\n"
        "containers: [{name: main, image: y}]"
    )
    assert {n: d.condition for n, d in made.services["web-two"].depends_on.items()} == {
        "web-infra": "service_started",
        "web-log": "service_healthy",
        "web-one": "service_completed_successfully",
    }
    assert made.services["web-main"].depends_on["web-two"].condition == "service_completed_successfully"
    assert (made.services["web-log"].restart, made.services["web-one"].restart) == ("always", "no")


def test_variables_from_everywhere() -> None:
    made = pod(
        "containers:\n"
        "  - name: main\n"
        "    image: x\n"
        "    command: [run, $(MODE), $$(MODE), $(NOBODY)]\n"
        "    envFrom: [{configMapRef: {name: conf}, prefix: C_}, {secretRef: {name: none, optional: true}}]\n"
        "    env:\n"
        "      - {name: MODE, value: a}\n"
        "      - {name: BOTH, value: $(MODE)-$(C_MODE)}\n"
        "      - {name: TOKEN, valueFrom: {secretKeyRef: {name: pw, key: token}}}\n"
        "      - {name: NONE, valueFrom: {configMapKeyRef: {name: conf, key: none, optional: true}}}\n"
        "      - {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}\n"
        "      - {name: TIER, valueFrom: {fieldRef: {fieldPath: \"metadata.labels['tier']\"}}}\n",
        FILES,
    )
    service = made.services["web-main"]
    assert service.environment == {
        "C_site.conf": "listen 80;",
        "C_MODE": "fast",
        "C_EMPTY": "",
        "MODE": "a",
        "BOTH": "a-fast",
        "TOKEN": "token",
        "POD": "web",
        "TIER": "front",
    }
    assert service.entrypoint == ("run", "a", "$(MODE)", "$(NOBODY)")


def test_resources_and_security() -> None:
    made = pod(
        "securityContext: {runAsUser: 7, supplementalGroups: [9], sysctls: [{name: net.core.somaxconn, value: '9'}]}\n"
        "containers:\n"
        "  - name: main\n"
        "    image: x\n"
        "    resources: {limits: {cpu: 500m, memory: 64Mi}, requests: {cpu: '1', memory: 32M}}\n"
        "    securityContext:\n"
        "      runAsGroup: 8\n"
        "      readOnlyRootFilesystem: true\n"
        "      allowPrivilegeEscalation: false\n"
        "      capabilities: {add: [NET_ADMIN], drop: [ALL]}\n"
    )
    main = made.services["web-main"]
    assert (main.cpus, main.mem_limit, main.cpu_shares, main.mem_reservation) == (0.5, 64 << 20, 1024, 32_000_000)
    assert (main.user, main.group_add, main.read_only) == ("7:8", ("9",), True)
    assert (main.cap_add, main.cap_drop, main.security_opt) == (("NET_ADMIN",), ("ALL",), ("no-new-privileges:true",))
    assert main.sysctls == {"net.core.somaxconn": "9"}


def test_replicas_are_pods_and_services_are_names() -> None:
    made = project(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 2\n  template:\n"
        "    metadata: {labels: {app: web}}\n    spec: {containers: [{name: c, image: x}]}\n"
        "---\napiVersion: v1\nkind: Service\nmetadata: {name: front}\n"
        "spec: {selector: {app: web}, ports: [{port: 80}]}\n"
    )
    assert [*made.services] == ["web-1-c", "web-2-c"]
    assert made.services["web-1-c"].networks["default"].aliases == ("web-1", "web", "front")


def test_a_services_ports_are_the_pods() -> None:
    found = read(
        HEAD
        + "  containers: [{name: a, image: x, ports: [{name: http, containerPort: 8000}]}]\n"
        + "---\napiVersion: v1\nkind: Service\nmetadata: {name: s}\n"
        + "spec: {type: NodePort, selector: {tier: front}, ports: [{port: 80, targetPort: http, nodePort: 30080}]}\n"
    )
    made = project_of(whole_document(found.pods), "app").services["web-a"]
    assert [(p.target, p.published) for p in made.ports] == [(8000, "30080")]
    assert made.networks["default"].aliases == ("web", "s")
    assert [str(note) for note in found.notes] == [
        "app.yaml:10:57: Service s: the name leads to the pod, where port 80 is 8000"
    ]


def test_a_job_is_tried_again_as_often_as_it_says() -> None:
    text = (
        "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec:\n  backoffLimit: 2\n"
        "  template: {spec: {restartPolicy: OnFailure, containers: [{name: c, image: x}]}}\n"
    )
    assert project(text).services["j-c"].restart == "on-failure:2"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "apiVersion: batch/v1\nkind: CronJob\n",
            f"app.yaml:2:1: kind CronJob is not supported: kinds are {', '.join(KINDS)}",
        ),
        (
            HEAD + "  containers: [{name: a, image: x}]\n  activeDeadlineSeconds: 3\n",
            "app.yaml:6:26: spec.activeDeadlineSeconds is not supported: nothing ends a pod by its age",
        ),
        (
            HEAD + "  containers: [{name: a, image: x, livenessProbe: {grpc: {port: 1}}}]\n",
            "app.yaml:5:58: spec.containers.0.livenessProbe.grpc is not supported: no image has a client for it",
        ),
        (
            HEAD + "  containers: [{name: a, image: x, imge: y}]\n",
            "app.yaml:5:36: spec.containers.0 additional properties 'imge' not allowed",
        ),
        (
            HEAD + "  containers: [{name: a, image: x, volumeMounts: [{name: v, mountPath: /v}]}]\n",
            "app.yaml:5:51: spec.containers.0.volumeMounts.0 names no volume of the pod: 'v'",
        ),
        (
            HEAD + "  containers: [{name: a, image: x}]\n  volumes: [{name: v, nfs: {server: s}}]\n",
            "app.yaml:6:28: spec.volumes.0.nfs is not supported: volumes are emptyDir, hostPath, configMap, secret, "
            "persistentVolumeClaim, projected and image",
        ),
        (
            HEAD + "  containers: [{name: a, image: x, resources: {limits: {nvidia.com/gpu: 1}}}]\n",
            "app.yaml:5:73: spec.containers.0.resources.limits.nvidia.com/gpu is not supported: processors and memory "
            "are what is limited",
        ),
        (
            f"{HEAD}  containers: [{{name: a, image: x}}]\n---\n{HEAD}  containers: [{{name: a, image: x}}]\n",
            "app.yaml:11:3: there are several pods called web",
        ),
        ("services: {}\n", "app.yaml:1:1: missing property 'apiVersion'"),
    ],
)
def test_what_is_not_supported_is_refused_with_its_place(text: str, said: str) -> None:
    assert refusal(text) == said


def test_all_mistakes_come_at_once() -> None:
    text = HEAD + "  containers: [{name: a, image: x, ports: [{containerPort: 0}]}]\n  nodeSelecter: {}\n"
    assert "containerPort is not a port: 0" in refusal(text)
    assert "did you mean 'nodeSelector'?" in refusal(text)


def test_what_has_no_effect_is_told_with_its_place() -> None:
    found = read(
        "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {selector: {app: other}}\n---\n"
        + HEAD
        + "  nodeSelector: {disk: ssd}\n"
        + "  containers: [{name: a, image: x, livenessProbe: {exec: {command: [t]}}}]\n"
    )
    assert [str(note) for note in found.notes] == [
        "app.yaml:10:17: spec.nodeSelector: it is for clusters of several machines",
        "app.yaml:11:16: spec.containers.0.livenessProbe: a container that fails it is shown as unhealthy and is not "
        "started again",
        "app.yaml:1:1: Service s: selects no pod of this file",
    ]


ROUND_TRIPS = {
    "one container": "containers: [{name: web, image: nginx, args: [a, b c], workingDir: /w, tty: true}]",
    "ports": "containers: [{name: c, image: x, ports: [{containerPort: 53, hostPort: 53, protocol: UDP}, "
    "{containerPort: 8}]}]",
    "probe by HTTP": "containers: [{name: c, image: x, readinessProbe: {httpGet: {path: /h?a=1, port: 80, "
    "httpHeaders: [{name: X-A, value: it's}]}, initialDelaySeconds: 5}}]",
    "probe by TCP": "containers: [{name: c, image: x, readinessProbe: {tcpSocket: {port: 5432}, timeoutSeconds: 3}}]",
    "pod": "hostAliases: [{ip: 1.2.3.4, hostnames: [a, b]}]\nrestartPolicy: OnFailure\n"
    "terminationGracePeriodSeconds: 3\n"
    "dnsConfig: {nameservers: [9.9.9.9], searches: [x.y], options: [{name: ndots, value: '2'}]}\n"
    "initContainers: [{name: i, image: x}, {name: s, image: x, restartPolicy: Always, "
    "startupProbe: {exec: {command: [t]}}}]\n"
    "containers: [{name: a, image: x}, {name: b, image: y}]",
    "host's network": "hostNetwork: true\nhostPID: true\ncontainers: [{name: a, image: x}]",
    "volumes": "containers: [{name: a, image: x, volumeMounts: [{name: e, mountPath: /e}, {name: m, mountPath: /m}, "
    "{name: h, mountPath: /h, readOnly: true}, {name: p, mountPath: /p, subPath: s}]}]\n"
    "volumes: [{name: e, emptyDir: {}}, {name: m, emptyDir: {medium: Memory, sizeLimit: 1Mi}}, "
    "{name: h, hostPath: {path: /x, type: Directory}}, {name: p, persistentVolumeClaim: {claimName: data}}]",
    "files of one": "containers: [{name: a, image: x, volumeMounts: [{name: f, mountPath: /f}, "
    "{name: f, mountPath: /etc/one.conf, subPath: site.conf}, {name: s, mountPath: /s}]}]\n"
    "volumes: [{name: f, configMap: {name: conf}}, {name: s, secret: {secretName: pw, defaultMode: 0400}}]",
    "files of several": "containers: [{name: a, image: x, volumeMounts: [{name: f, mountPath: /f}]}, "
    "{name: b, image: x, volumeMounts: [{name: f, mountPath: /g}]}]\n"
    "volumes: [{name: f, projected: {sources: [{configMap: {name: conf, items: [{key: MODE, path: d/mode}]}}, "
    "{secret: {name: pw}}]}}]",
    "hooks": "containers: [{name: a, image: x, lifecycle: {stopSignal: SIGINT, postStart: {exec: {command: [a]}}, "
    "preStop: {exec: {command: [b, c]}}}}]",
}


@pytest.mark.parametrize("spec", ROUND_TRIPS.values(), ids=ROUND_TRIPS)
def test_what_was_read_is_written_again(spec: str) -> None:
    first = pod(spec, FILES)
    text, notes = write_kube(first)
    assert notes == []
    assert to_yaml(project(text)) == to_yaml(first)
    assert write_kube(project(text)) == (text, notes)


def test_what_a_pod_has_no_word_for_is_named() -> None:
    document = {
        "services": {
            "web": {
                "image": "x",
                "ulimits": {"nofile": 9},
                "restart": "unless-stopped",
                "depends_on": {"db": {"condition": "service_healthy"}},
                "user": "www",
                "ports": ["80"],
            },
            "db": {"image": "y"},
        }
    }
    _, notes = write_kube(project_of(document, "app"))
    assert [str(note) for note in notes] == [
        "services.web.ports: any:80: a pod's host port is one number",
        "services.web.user: www: Kubernetes takes numbers only",
        "services.web.restart: unless-stopped becomes Always",
        "services.web.ulimits: Kubernetes has no word for it in a pod",
        "services.web.depends_on: pods start in no order: db",
    ]
