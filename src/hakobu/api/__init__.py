"""The door for Docker's clients: an HTTP server, routes, and handlers that translate wire shapes to the engine's.

Nothing here decides what a container is; handlers parse, call one service and render. `server.serve` is the
entry point that `daemon/` uses.
"""
