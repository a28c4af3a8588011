"""What a Compose file says, as immutable values: parsed once from nodes, rendered back canonically.

`attribute.py` is the one table of service attributes: what works and how, what is refused and why. The canonical
form (`to_json`) keeps the order and the shapes of docker compose, because its hash decides what is recreated.
"""
