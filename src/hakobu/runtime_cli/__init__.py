"""`hakobu-runtime`: the OCI runtime's command line, for engines that call one.

A bundle becomes the engine's own plan, and the engine's own steps carry it out (docs/decisions/0009). One module an
operation below `operation/`; what they share stands here. Must not: import an event loop, or anything third-party.
"""
