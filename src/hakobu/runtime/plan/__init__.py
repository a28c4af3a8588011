"""From an OCI configuration to steps. Pure: no call here touches the world.

Order is meaning: a list reads as the order of a start, and reference/security's order of a correct start is the
order of the functions below. `container` and `exec` are the two entries.
"""

from hakobu.runtime.plan.container import RuntimeInputs, plan_container
from hakobu.runtime.plan.execution import plan_exec

__all__ = ["RuntimeInputs", "plan_container", "plan_exec"]
