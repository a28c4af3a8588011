"""An update of three replicas under load: how many requests fail, by a proxy's port and by the service's name."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from bench.engine import HAKOBU, ROOT, Engine
from bench.figure import Figure
from bench.process import output
from bench.world import World

_COMPOSE = str(ROOT / ".state" / "docker-compose")
_FILE = """
name: rolling
services:
  proxy:
    image: nginx
    ports: ["8080:80"]
    configs: [{source: proxy, target: /etc/nginx/conf.d/default.conf}]
    depends_on: {site: {condition: service_healthy}}
  site:
    image: nginx
    environment: {VERSION: "${VERSION:-1}"}
    deploy: {replicas: 3, update_config: {order: start-first}}
    healthcheck: {test: [CMD, bash, -c, "exec 3<>/dev/tcp/127.0.0.1/80"], interval: 1s, retries: 10}
  client:
    image: busybox
    init: true
    command: [sh, -c, "while :; do wget -q -O /dev/null http://site/ && echo ok || echo failed; done"]
    depends_on: {site: {condition: service_healthy}}
configs:
  proxy:
    content: |
      server {
        listen 80;
        resolver 127.0.0.11 valid=1s;
        location / { set $$site http://site; proxy_pass $$site; }
      }
"""
_LOAD = """
import signal, sys, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
asked = failed = 0
print("begun", flush=True)
signal.signal(signal.SIGTERM, lambda *_: (print(asked, failed, flush=True), sys.exit()))
while True:
    try:
        opener.open("http://localhost:8080/", timeout=10).read()
    except OSError:
        failed += 1
    asked += 1
"""


def measure(world: World) -> list[Figure]:
    file = world.folder / "rolling.yaml"
    file.write_text(_FILE)
    counts = {engine.name: _update(engine, file) for engine in world.rivals}
    figures: list[Figure] = []
    for index, way in enumerate(("a proxy's port", "the service's name")):
        asked, failed = counts[world.ours.name][index]
        theirs = counts[world.dockerd.name][index]
        detail = f"{asked} requests; docker compose: {theirs[1]} of {theirs[0]} failed"
        figures.append(Figure(f"rolling update of 3 replicas by {way}, failed requests", failed, 0, "", detail=detail))
    return figures


def _update(engine: Engine, file: Path) -> list[tuple[int, int]]:
    """Requests and failures, by the port and by the name, for the time of an update."""
    compose = [HAKOBU if engine.name == "hakobu" else _COMPOSE, *(["compose"] if engine.name == "hakobu" else [])]
    environment = {**os.environ, "DOCKER_HOST": f"unix://{engine.socket}", "HAKOBU_HOST": f"unix://{engine.socket}"}
    run = [*compose, "-f", str(file)]

    def do(*words: str, version: str = "1") -> str:
        done = subprocess.run([*run, *words], env=environment | {"VERSION": version}, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)}: {done.stderr}")
        return done.stdout

    do("up", "-d", "--wait")
    try:
        by_port = _under_load(engine, lambda: do("up", "-d", version="2"))
        said = output(engine.docker("logs", "rolling-client-1")).split()
        return [by_port, (len(said), said.count("failed"))]
    finally:
        do("down", "-t", "1")


def _under_load(engine: Engine, update: Callable[[], object]) -> tuple[int, int]:
    argv = engine.inside(sys.executable, "-I", "-c", _LOAD)
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as load:
        assert load.stdout is not None
        load.stdout.readline()
        try:
            update()
        finally:
            load.terminate()
        asked, failed = load.stdout.readline().split()
    return int(asked), int(failed)
