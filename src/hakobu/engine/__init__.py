"""The services behind the API: containers, execs, images, networks, volumes, events.

Composes the layers below into what a user asks for. Speaks OCI's and the kernel's words; Docker's are
translated in `api/`. Never imports `wire`.
"""
