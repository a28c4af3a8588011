"""Multi-container applications: the Compose specification on the engine's HTTP API.

File → nodes (`yaml`) → merged and interpolated nodes (`merge`, `interpolation`) → values (`model/`) →
actions (`plan`) → calls on the client (`apply`). Everything before `apply` is pure. State lives in labels,
the same ones that docker compose writes, so that either program can take over from the other.
"""
