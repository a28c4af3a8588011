"""TLS in front of the API, in a process of its own: clients that prove who they are reach the engine's socket.

Handlers lend their client's socket to workers and hand it to shims (docs/decisions/0002, 0019): with TLS there is
no such socket. So this process ends the TLS and gives the engine what it expects, a unix connection a client. No
byte of a client's passes through the daemon's event loop for that, and nothing above knows of TLS.
"""
