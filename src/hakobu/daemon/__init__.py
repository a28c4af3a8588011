"""The composition root: configuration, wiring, serving. The only place that names concrete parts.

Started as `python -I -m hakobu.daemon`; the CLI execs it, nothing imports it.
"""
