"""What a shell may put next on a line: `candidate` from the tables, `live` from the engine, `script` for shells."""
