"""Flags of `run` and `create` with a grammar of their own, parsed to the API's shapes. Pure but for files."""
