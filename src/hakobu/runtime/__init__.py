"""The OCI runtime: a configuration becomes a plan, a plan is carried out by a shim and its child.

Invariant: the launcher and whatever is forked from it import nothing of a third party and nothing lazily; no
line of Python runs on what a container controls after its root was entered but what was planned before.
"""
