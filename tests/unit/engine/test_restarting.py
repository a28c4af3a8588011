"""Who is started again, and after how long."""

import pytest
from tests.unit.engine.sample import container

from hakobu.engine.restarting import next_delay_s, wants_restart, wants_start_at_boot
from hakobu.spec.container import ContainerSpec, RestartPolicy, Status


def with_policy(name, *, retries=0, count=0, stopped=False):
    spec = ContainerSpec(image="i", restart=RestartPolicy(name=name, max_retries=retries))
    return container(Status.EXITED, spec=spec, restart_count=count, state={"stopped_by_user": stopped})


@pytest.mark.parametrize(
    ("policy", "code", "count", "again"),
    [
        ("no", 1, 0, False),
        ("always", 0, 99, True),
        ("unless-stopped", 0, 99, True),
        ("on-failure", 0, 0, False),
        ("on-failure", 1, 0, True),
        ("on-failure", 1, 2, True),
        ("on-failure", 1, 3, False),
    ],
)
def test_policies(policy, code, count, again):
    assert wants_restart(with_policy(policy, retries=3, count=count), code) is again


@pytest.mark.parametrize("policy", ["no", "always", "unless-stopped", "on-failure"])
def test_what_its_user_stopped_stays_stopped(policy):
    assert not wants_restart(with_policy(policy, stopped=True), 1)


def test_at_boot_always_comes_back_and_unless_stopped_only_if_it_was_not():
    assert wants_start_at_boot(with_policy("always", stopped=True), was_running=False)
    assert not wants_start_at_boot(with_policy("unless-stopped", stopped=True), was_running=False)
    assert wants_start_at_boot(with_policy("unless-stopped"), was_running=False)
    assert not wants_start_at_boot(with_policy("on-failure"), was_running=False)
    assert not wants_start_at_boot(with_policy("no"), was_running=True)


def test_the_delay_doubles_to_a_minute_and_a_good_run_forgets_it():
    delays, delay = [], 0.0
    for _ in range(12):
        delay = next_delay_s(delay, ran_s=0.1)
        delays.append(delay)
    assert delays[:4] == [0.1, 0.2, 0.4, 0.8]
    assert delays[-1] == 60
    assert next_delay_s(60, ran_s=11) == 0.1
