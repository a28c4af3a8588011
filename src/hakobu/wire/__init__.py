"""Docker Engine API shapes, as TypedDicts and tables: what goes over the wire and how it differs by version.

Pure: no I/O, no third party, nothing of the engine. `api/` decodes into these shapes and fills them;
`client/` names them for its type checks only.
"""
