"""What the engine does, told to people: plans and their results in English and Japanese. Pure.

The texts are data (`text/*.toml`), keyed by step name; the steps are the ones that the engine executes, so there
is no second description of a start. Nothing here asks an engine: documents come in, text or JSON goes out.
"""
