"""Restart policies: who is started again, and after how long. Pure but for the timers that carry it out.

Docker's back-off: 100 ms, doubled for each further restart up to a minute, forgotten after ten seconds of
running. A container that its user stopped is not started again until the user does so.
"""

from hakobu.spec.container import Container

FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 60.0
GOOD_RUN_S = 10.0


def wants_restart(container: Container, exit_code: int) -> bool:
    """Whether the policy asks for another start after this exit."""
    if container.state.stopped_by_user:
        return False
    match container.spec.restart.name:
        case "always" | "unless-stopped":
            return True
        case "on-failure":
            limit = container.spec.restart.max_retries
            return exit_code != 0 and (limit == 0 or container.restart_count < limit)
        case "no":
            return False


def wants_start_at_boot(container: Container, was_running: bool) -> bool:
    """Whether a daemon that comes up should start it: `always` even after a stop, others if they ran."""
    match container.spec.restart.name:
        case "always":
            return True
        case "unless-stopped":
            return not container.state.stopped_by_user
        case "on-failure":
            return was_running and not container.state.stopped_by_user
        case "no":
            return False


def next_delay_s(previous_s: float, ran_s: float) -> float:
    """The pause before the next start; `previous_s` is 0 before the first."""
    if previous_s == 0 or ran_s >= GOOD_RUN_S:
        return FIRST_DELAY_S
    return min(previous_s * 2, LONGEST_DELAY_S)
