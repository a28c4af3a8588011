"""HTTP/1.1 over asyncio, as much of it as a container engine's door needs: streams, back-pressure, hijacking.

Knows nothing of routes or of Docker: it is given a function from a request head to an exchange.
"""
