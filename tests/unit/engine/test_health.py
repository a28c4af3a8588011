"""What results of probes mean for a container."""

from hakobu.engine.health import interval_s, judge, probe_argv
from hakobu.spec.container import Health, Healthcheck, HealthResult

CHECK = Healthcheck(test=("CMD", "x"), retries=3)


def result(code):
    return HealthResult(started_ns=1, ended_ns=2, exit_code=code, output="")


def test_one_success_is_healthy_and_clears_the_streak():
    after = judge(Health(status="unhealthy", failing_streak=7), CHECK, result(0), in_start_period=False)
    assert (after.status, after.failing_streak) == ("healthy", 0)


def test_unhealthy_only_after_as_many_failures_as_retries():
    health = Health(status="healthy")
    statuses = []
    for _ in range(3):
        health = judge(health, CHECK, result(1), in_start_period=False)
        statuses.append(health.status)
    assert statuses == ["healthy", "healthy", "unhealthy"]


def test_failures_in_the_start_period_do_not_count():
    health = judge(Health(), CHECK, result(1), in_start_period=True)
    assert (health.status, health.failing_streak, len(health.results)) == ("starting", 0, 1)


def test_five_results_are_kept():
    health = Health()
    for code in range(9):
        health = judge(health, CHECK, result(code), in_start_period=False)
    assert [r.exit_code for r in health.results] == [4, 5, 6, 7, 8]


def test_the_start_interval_holds_within_the_start_period():
    check = Healthcheck(test=("CMD", "x"), interval_ns=30 * 10**9, start_period_ns=10**9, start_interval_ns=2 * 10**9)
    assert interval_s(check, starting=True) == 2
    assert interval_s(check, starting=True, ran_s=0.9) == 2
    assert interval_s(check, starting=True, ran_s=1.0) == 30
    assert interval_s(check, starting=False) == 30
    assert interval_s(Healthcheck(test=("CMD", "x")), starting=True) == 30


def test_a_shell_line_is_given_to_the_shell():
    assert probe_argv(Healthcheck(test=("CMD-SHELL", "a | b"))) == ("/bin/sh", "-c", "a | b")
    assert probe_argv(CHECK) == ("x",)
