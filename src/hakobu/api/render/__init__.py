"""From the engine's values to wire shapes: pure functions, one module a resource."""
