"""From wire shapes to the engine's values: pure functions that validate with Docker's texts."""
