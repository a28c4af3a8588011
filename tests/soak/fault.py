"""Faults that end in seconds: one function a row of docs/faults.md, an AssertionError where its criterion is missed."""

import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.soak.engine import PRINT, Hurt, children, kill, listed, parent, status

from hakobu.client.error import ClientError
from hakobu.kernel import cgroup
from hakobu.spec.resources import Resources


def contiguous(lines: list[str]) -> None:
    wrong = [line for number, line in enumerate(lines) if line != f"line {number}"]
    assert lines and not wrong, f"{len(lines)} lines, first wrong: {wrong[:1]}"


def daemon_killed(hurt: Hurt, scale: int) -> str:
    """F1: kill -9 with 20 containers that print; the same processes afterwards, and no line lost."""
    ids = [hurt.run("sh", "-c", PRINT) for _ in range(20)]
    before = {cid: hurt.state(cid)["Pid"] for cid in ids}
    back_s = hurt.restart()
    assert {cid: hurt.state(cid)["Pid"] for cid in ids} == before
    time.sleep(0.5)
    logs = [hurt.log(cid) for cid in ids]
    for lines in logs:
        contiguous(lines)
    return f"back after {back_s:.1f} s, {sum(map(len, logs))} lines"


def daemon_killed_at_random(hurt: Hurt, scale: int) -> str:
    """F2: kill -9 at random moments of create, start, stop, rm; then nothing disagrees and `rm -f` works on all."""
    cycles, kills, stop = [0], 0, threading.Event()

    def work() -> None:
        while not stop.is_set():
            try:
                with hurt.client() as client:
                    created = client.containers.create({"Image": "busybox", "Cmd": ["sleep", "100"]})
                    client.containers.start(created["Id"])
                    client.containers.kill(created["Id"])
                    client.containers.remove(created["Id"], force=True)
                    cycles[0] += 1
            except (ClientError, OSError):
                time.sleep(0.05)

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    try:
        for _ in range(8 * scale):
            time.sleep(random.uniform(0.05, 0.8))
            hurt.restart()
            kills += 1
    finally:
        stop.set()
        for worker in workers:
            worker.join()
    hurt.settle()
    hurt.remove_all()
    took = hurt.settle()
    return f"{kills} kills during {cycles[0]} whole cycles; agreed after {took:.1f} s"


def shim_killed(hurt: Hurt, scale: int) -> str:
    """F3: kill -9 of a container's shim: told dead, and gone with its cgroup, within 5 s."""
    longest = 0.0
    for _ in range(5):
        cid = hurt.run("sleep", "1000")
        kill(parent(hurt.state(cid)["Pid"]))
        began = time.monotonic()
        while hurt.state(cid)["Running"]:
            assert time.monotonic() - began < 5, "still told to run"
            time.sleep(0.02)
        assert hurt.state(cid)["ExitCode"] == 137
        hurt.settle(within_s=5)
        with hurt.client() as client:
            client.containers.remove(cid)
        longest = max(longest, time.monotonic() - began)
    return f"at most {longest:.2f} s"


def ended_while_away(hurt: Hurt, scale: int) -> str:
    """F4: an end without a daemon: real exit code, its event, and the restart policy applied once."""
    since = str(int(time.time()))
    plain = hurt.run("sh", "-c", "sleep 1; exit 7")
    policy = {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 1}}
    again = hurt.run("sh", "-c", "sleep 1; exit 8", HostConfig=policy)
    hurt.daemon.kill()
    time.sleep(2)
    hurt.start()
    assert hurt.state(plain)["ExitCode"] == 7 and not hurt.state(plain)["Running"]
    began = time.monotonic()
    while True:
        with hurt.client() as client:
            told = client.containers.inspect(again)
        if not told["State"]["Running"] and told["RestartCount"] == 1:
            break
        assert time.monotonic() - began < 20, told["State"]
        time.sleep(0.05)
    assert told["State"]["ExitCode"] == 8
    until = str(int(time.time()) + 1)
    out = hurt.daemon.hakobu("events", "--since", since, "--until", until, "--filter", "event=die").stdout
    assert plain in out, out
    return "exit 7 told, restarted once"


def ignores_the_signal(hurt: Hurt, scale: int) -> str:
    """F5: SIGTERM of the daemon beside a container that ignores it; the container goes on, and a stop kills it: 137."""
    cid = hurt.run("sh", "-c", "trap '' TERM; while :; do sleep 1; done")
    before = hurt.state(cid)["Pid"]
    began = time.monotonic()
    hurt.daemon.stop()
    ended_s = time.monotonic() - began
    hurt.start()
    assert hurt.state(cid)["Pid"] == before and ended_s < 16
    with hurt.client() as client:
        client.containers.stop(cid, timeout_s=1)
    assert hurt.state(cid)["ExitCode"] == 137
    return f"the daemon ended in {ended_s:.1f} s"


def stopped_for_a_while(hurt: Hurt, scale: int) -> str:
    """F6: SIGSTOP of the daemon; health not told wrong, logs complete, the API answers again."""
    check = {"Test": ["CMD", "true"], "Interval": 10**9, "Timeout": 10**9, "Retries": 1}
    cid = hurt.run("sh", "-c", PRINT, Healthcheck=check)
    time.sleep(1.5)
    pause_s = min(6 * scale, 30)
    os.kill(hurt.pid, signal.SIGSTOP)
    time.sleep(pause_s)
    os.kill(hurt.pid, signal.SIGCONT)
    began = time.monotonic()
    health = hurt.state(cid)["Health"]["Status"]
    answered_s = time.monotonic() - began
    assert health != "unhealthy", health
    contiguous(hurt.log(cid))
    return f"{pause_s} s; answered {answered_s * 1e3:.0f} ms later"


def prints_while_away(hurt: Hurt, scale: int) -> str:
    """F7: 10 MB printed while no daemon is there; nothing is lost."""
    line = "x" * 99
    script = f"sleep 1; i=0; while [ $i -lt 100 ]; do yes {line} | head -n 1000; i=$((i+1)); done; echo end"
    cid = hurt.run("sh", "-c", script)
    hurt.daemon.kill()
    time.sleep(3)
    hurt.start()
    began = time.monotonic()
    while hurt.state(cid)["Running"]:
        assert time.monotonic() - began < 60
        time.sleep(0.1)
    lines = hurt.log(cid)
    assert lines == [*[line] * 100_000, "end"], f"{len(lines)} lines"
    return "100,001 lines"


def state_files(hurt: Hurt, scale: int) -> str:
    """F9: each file of a container's damaged in each way: the daemon starts, others work, `rm -f` removes it."""
    ways: dict[str, Callable[[Path], object]] = {
        "emptied": lambda path: path.write_bytes(b""),
        "halved": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
        "flipped": lambda path: path.write_bytes(bytes(b ^ 1 for b in path.read_bytes())),
        "a directory": lambda path: (path.unlink(), path.mkdir()),
        "closed": lambda path: path.chmod(0),
        "gone": lambda path: path.unlink(),
    }
    sound = hurt.run("sleep", "1000")
    probe = hurt.run("true")
    names = [name for name in listed(f"{hurt.instance.data_root}/containers/{probe}")
             if Path(f"{hurt.instance.data_root}/containers/{probe}/{name}").is_file()]  # fmt: skip
    victims = [(hurt.run("true"), name, way) for name in names for way in ways]
    for cid, _, _ in victims:
        with hurt.client() as client:
            client.containers.wait(cid).result()
    hurt.daemon.stop()
    for cid, name, way in victims:
        ways[way](Path(f"{hurt.instance.data_root}/containers/{cid}/{name.replace(probe, cid)}"))
    back_s = hurt.start()
    assert hurt.state(sound)["Running"]
    assert hurt.daemon.hakobu("run", "--rm", "busybox", "echo", "works").stdout == "works\n"
    for cid, name, way in victims:
        done = hurt.daemon.hakobu("rm", "-f", cid, check=False)
        assert done.returncode == 0, f"{name} {way}: {done.stderr}"
    hurt.settle()
    whole = ", ".join(sorted(name.replace(probe, "ID") for name in names))
    return f"{len(victims)} damages ({whole}); back after {back_s:.1f} s"


def database(hurt: Hurt, scale: int) -> str:
    """F10: a damaged page: what was answered is there. Without the -wal of a killed daemon it starts and works."""
    cid = hurt.run("sleep", "1000", name="kept")
    path = Path(f"{hurt.instance.data_root}/state.db")
    hurt.daemon.stop()
    content = bytearray(path.read_bytes())
    content[4096:8192] = os.urandom(4096)
    path.write_bytes(content)
    back_s = hurt.start()
    assert hurt.state("kept")["Running"] and hurt.state("kept")["Pid"] == hurt.state(cid)["Pid"]
    assert hurt.daemon.hakobu("run", "--rm", "busybox", "echo", "works").stdout == "works\n"
    hurt.daemon.kill()
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    hurt.start()
    hurt.daemon.load("busybox")  # what was not yet in the database itself is lost with that file
    assert hurt.daemon.hakobu("run", "--rm", "busybox", "echo", "works").stdout == "works\n"
    hurt.settle()
    return f"back after {back_s:.1f} s with the page restored"


def clients_vanish(hurt: Hurt, scale: int) -> str:
    """F20: clients of logs, events, attach and exec that disconnect without a word."""
    cid = hurt.run("sh", "-c", PRINT)
    with hurt.client() as client:
        client.containers.inspect(cid)
    before = hurt.count()
    for number in range(100 * scale):
        with hurt.client() as client:
            match number % 4:
                case 0:
                    client.containers.logs(cid, follow=True, stdout=True)
                case 1:
                    client.system.events()
                case 2:
                    client.containers.attach(cid, stream=True, stdout=True)
                case _:
                    exec_id = client.execs.create(cid, {"Cmd": ["sleep", "0.1"], "AttachStdout": True})
                    client.execs.start(exec_id)
    took = hurt.settle(lambda: hurt.count().grown(before, memory_kb=20_000, others=5), within_s=10)
    return f"{100 * scale} clients; as before after {took:.1f} s"


def orphans(hurt: Hurt, scale: int) -> str:
    """F22: init that forks orphans and does not reap: they are the container's, the engine never has a zombie."""
    many = 200 * scale
    script = f"i=0; while [ $i -lt {many} ]; do (sleep 0.01 &); i=$((i+1)); done; exec sleep 1000"
    hurt.run("sh", "-c", script)
    lasting: list[int] = []
    for _ in range(20):
        shims = hurt.shims()
        ours = [hurt.pid, *hurt.beside(), *shims]
        zombies = [child for pid in ours for child in children(pid) if status(child)[0] == "Z"]
        lasting = zombies if not lasting else [pid for pid in zombies if pid in lasting]
        time.sleep(0.3)
        if not lasting:
            break
    assert not lasting, f"{len(lasting)} zombies that stay"
    return f"{many} orphans"


def out_of_memory(hurt: Hurt, scale: int) -> str:
    """F23: of init, of a child only, of an exec: told once each, and the container lives where init does."""
    since = str(int(time.time()))
    small = {"Memory": 16 << 20, "MemorySwap": 16 << 20}
    eat = "x=x; while true; do x=$x$x$x; done"
    init = hurt.run("sh", "-c", eat, HostConfig=small)
    with hurt.client() as client:
        assert client.containers.wait(init).result()[0] == 137
    assert hurt.state(init)["OOMKilled"]
    child = hurt.run("sh", "-c", f"sh -c '{eat}'; sleep 1000", HostConfig=small)
    done = hurt.daemon.hakobu("exec", child, "sh", "-c", eat, check=False)
    assert done.returncode == 137, done
    assert hurt.state(child)["Running"]
    time.sleep(0.5)
    until = str(int(time.time()) + 1)
    out = hurt.daemon.hakobu("events", "--since", since, "--until", until, "--filter", "event=oom").stdout
    assert out.count(init) == 1 and out.count(child) == 2, out
    return "1 + 2 events"


def rotation(hurt: Hurt, scale: int) -> str:
    """F25: a log of small files, followed by five, the daemon killed in the middle: each line once, in order."""
    options = {"Type": "json-file", "Config": {"max-size": "20k", "max-file": "3"}}
    count = 4000 * scale
    script = (
        f"sleep 1; i=0; while [ $i -lt {count} ]; do echo line $i; i=$((i+1)); [ $((i%50)) = 0 ] && usleep 20000; done"
    )
    cid = hurt.run("sh", "-c", f"{script}; sleep 1000", HostConfig={"LogConfig": options})
    followers = [hurt.daemon.start_hakobu("logs", "-f", cid) for _ in range(5)]
    with hurt.client() as client:
        began = time.monotonic()
        while f"line {count - 1}\n" not in hurt.daemon.hakobu("logs", "--tail", "1", cid).stdout:
            assert time.monotonic() - began < 120
            time.sleep(0.2)
        client.containers.kill(cid)
    for follower in followers:
        contiguous(follower.communicate(timeout=30)[0].splitlines())
    folder = Path(f"{hurt.instance.data_root}/containers/{cid}")
    files = [path for path in folder.iterdir() if "-json.log" in path.name]
    assert len(files) <= 3 and all(path.stat().st_size <= 20_500 for path in files), files
    return f"{count} lines, 5 readers, {len(files)} files"


def no_more_processes(hurt: Hurt, scale: int) -> str:
    """F27: the daemon and its launcher in a cgroup that is full: a start fails with the reason; afterwards it works."""
    group = cgroup.open_tree().cgroup(f"/hakobu-soak-{os.getpid()}")
    group.create(Resources(pids_limit=1))
    try:
        for pid in (hurt.pid, *hurt.beside()):
            group.add(pid)
        for _ in range(3):  # a shim may be waiting for the first already
            done = hurt.daemon.hakobu("run", "--rm", "busybox", "true", check=False)
        assert done.returncode == 125 and done.stderr, done
        group.apply(Resources(pids_limit=-1))
        hurt.settle()
        assert hurt.daemon.hakobu("run", "--rm", "busybox", "echo", "works").stdout == "works\n"
    finally:
        hurt.daemon.kill()
        while group.processes():
            time.sleep(0.05)
        group.delete()
    hurt.start()
    return done.stderr.strip().splitlines()[0][:120]


def no_more_descriptors(hurt: Hurt, scale: int) -> str:
    """F28: the daemon's limit of descriptors reached: no spinning, and it recovers when the limit is raised."""
    limit = max(map(int, os.listdir(f"/proc/{hurt.pid}/fd"))) + 3
    subprocess.run(["prlimit", "--pid", str(hurt.pid), f"--nofile={limit}:4096"], check=True)
    import socket

    clients = [socket.socket(socket.AF_UNIX) for _ in range(20)]
    try:
        for client in clients:
            client.settimeout(0.2)
            client.connect(str(hurt.daemon.socket))
        used = cpu_s(hurt.pid)
        time.sleep(3)
        spent = cpu_s(hurt.pid) - used
        assert spent < 1.5, f"{spent:.1f} s of processor in 3 s"
    finally:
        for client in clients:
            client.close()
        subprocess.run(["prlimit", "--pid", str(hurt.pid), "--nofile=4096:4096"], check=True)
    assert hurt.daemon.hakobu("run", "--rm", "busybox", "echo", "works").stdout == "works\n"
    hurt.settle()
    return f"{spent:.2f} s of processor in 3 s"


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def network_taken_apart(hurt: Hurt, scale: int) -> str:
    """F29: rules flushed, a veth and the bridge deleted by hand: repaired or told at the next start."""
    table = hurt.instance.nft_table
    bridge = hurt.instance.default_bridge
    before = subnet_addresses(hurt)
    cid = hurt.run("sleep", "1000")
    shown = subprocess.run(["ip", "-br", "link", "show", "master", bridge], capture_output=True, text=True, check=True)
    link = shown.stdout.split("@")[0].split()[0]
    subprocess.run(["ip", "link", "del", link], check=True)
    subprocess.run(["nft", "delete", "table", "inet", table], check=False)
    with hurt.client() as client:
        client.containers.remove(cid, force=True)
    subprocess.run(["ip", "link", "del", bridge], check=True)
    outcomes: list[str] = []
    for _ in range(30 * scale):
        done = hurt.daemon.hakobu("run", "--rm", "busybox", "true", check=False)
        outcomes.append(done.stderr.strip())
    hurt.restart()
    assert hurt.daemon.hakobu("run", "--rm", "-p", "80", "busybox", "echo", "works").stdout == "works\n"
    assert subnet_addresses(hurt) == before
    hurt.settle()
    failed = [text for text in outcomes if text]
    return f"{len(failed)} of {len(outcomes)} starts refused{': ' + failed[0][-100:] if failed else ''}"


def subnet_addresses(hurt: Hurt) -> int:
    """How many containers the default network has."""
    with hurt.client() as client:
        return len(client.networks.inspect("bridge").get("Containers") or {})


def port_taken(hurt: Hurt, scale: int) -> str:
    """F30: a published port that somebody has: named in the error, the container stays created, nothing leaks."""
    import socket

    with socket.create_server(("0.0.0.0", 0)) as server:
        port = server.getsockname()[1]
        done = hurt.daemon.hakobu("run", "-d", "--name", "wants", "-p", f"{port}:80", "busybox", "true", check=False)
        assert done.returncode == 125 and str(port) in done.stderr, done
        assert hurt.state("wants")["Status"] == "created"
        hurt.settle()
    hurt.daemon.hakobu("start", "wants")
    hurt.daemon.hakobu("rm", "-f", "wants")
    return done.stderr.strip()[-100:]


def file_held(hurt: Hurt, scale: int) -> str:
    """F31: a process of the host's holds a file of the container's root while it is removed."""
    cid = hurt.run("sh", "-c", "echo x >/held; sleep 1000")
    path = f"/proc/{hurt.state(cid)['Pid']}/root/held"
    while not os.path.exists(path):
        time.sleep(0.02)
    with open(path):
        began = time.monotonic()
        hurt.daemon.hakobu("rm", "-f", cid)
        took = time.monotonic() - began
        hurt.settle()
    return f"removed in {took:.1f} s"


def killed_while_copying(hurt: Hurt, scale: int) -> str:
    """F32: kill -9 of the daemon during commit, save and cp: nothing of them stays."""
    cid = hurt.run("sh", "-c", "dd if=/dev/urandom of=/big bs=1M count=64; sleep 1000")
    time.sleep(2)
    layers = set(listed(hurt.instance.snapshots_dir))
    target = hurt.daemon.folder / "copied"
    for number in range(4 * scale):
        commands = (
            ("commit", cid, f"half{number}"),
            ("save", "-o", str(target), "busybox"),
            ("cp", f"{cid}:/big", str(target)),
        )
        client = hurt.daemon.start_hakobu(*commands[number % 3])
        time.sleep(random.uniform(0.1, 0.8))
        hurt.daemon.kill()
        client.communicate(timeout=60)
        hurt.start()
        shutil.rmtree(target, ignore_errors=True)
        target.unlink(missing_ok=True)
    names = hurt.daemon.hakobu("images", "--format", "{{.Repository}}").stdout.split()
    whole = {name for name in names if name.startswith("half")}
    for name in whole:
        hurt.daemon.hakobu("rmi", "-f", name)
    hurt.remove_all()
    hurt.restart()
    left = set(listed(hurt.instance.snapshots_dir)) - layers
    strays = [str(p) for p in Path(hurt.instance.data_root).rglob("*") if p.name.endswith((".new", ".tmp", ".partial"))]
    assert not left and not strays, (left, strays)
    return f"{4 * scale} kills, {len(whole)} commits were whole"


def many_clients(hurt: Hurt, scale: int) -> str:
    """F33: 16 clients at one container: every call ends within 15 s, and the state is whole afterwards."""
    cid = hurt.run("sleep", "1000", name="one")
    until, longest, calls = time.monotonic() + min(6 * scale, 60), [0.0], [0]

    def work(number: int) -> None:
        chosen = random.Random(number)
        while time.monotonic() < until:
            began = time.monotonic()
            try:
                with hurt.client() as client:
                    match chosen.choice(("stop", "kill", "restart", "start", "exec", "inspect")):
                        case "stop":
                            client.containers.stop(cid, timeout_s=0)
                        case "kill":
                            client.containers.kill(cid)
                        case "restart":
                            client.containers.restart(cid, timeout_s=0)
                        case "start":
                            client.containers.start(cid)
                        case "exec":
                            client.execs.start_detached(client.execs.create(cid, {"Cmd": ["true"]}))
                        case _:
                            client.containers.inspect(cid)
            except ClientError:
                pass
            longest[0] = max(longest[0], time.monotonic() - began)
            calls[0] += 1

    clients = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert longest[0] < 15, f"a call took {longest[0]:.1f} s"
    with hurt.client() as client:
        client.containers.start(cid)
    assert hurt.state(cid)["Running"]
    hurt.settle()
    return f"{calls[0]} calls, the longest {longest[0]:.2f} s"


def reboot(hurt: Hurt, scale: int) -> str:
    """F34: daemon, shims and containers gone, the run directory emptied: policies start theirs, others have ended."""
    always = hurt.run("sleep", "1000", HostConfig={"RestartPolicy": {"Name": "always"}})
    plain = hurt.run("sleep", "1000")
    shims, inits = hurt.shims(), [hurt.state(cid)["Pid"] for cid in (always, plain)]
    hurt.daemon.kill()
    for pid in (*shims, *inits):
        kill(pid)
    for pid in [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]:
        if str(hurt.daemon.folder) in named_safely(pid):
            kill(pid)
    shutil.rmtree(hurt.instance.exec_root, ignore_errors=True)
    for top in Path("/sys/fs/cgroup").glob(f"*{hurt.instance.cgroup_parent}"):
        for entry in sorted(top.rglob("*"), reverse=True):
            if entry.is_dir():
                entry.rmdir()
    back_s = hurt.start()
    began = time.monotonic()
    while not hurt.state(always)["Running"]:
        assert time.monotonic() - began < 20
        time.sleep(0.05)
    told = hurt.state(plain)
    assert not told["Running"] and told["ExitCode"] in (137, 255), told
    hurt.settle()
    return f"back after {back_s:.1f} s; the other is told to have ended with {told['ExitCode']}"


def named_safely(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""
