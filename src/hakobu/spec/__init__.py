"""Pure values: parsed once at the edge, carried everywhere. Nothing here does I/O."""
