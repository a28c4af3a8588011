"""tar archives: our own reader and writer. Python's `tarfile` does not unpack for us: its filter was escaped.

The reader is a stream of entries over a stream of bytes, bounded in every dimension; the writer is its mirror.
"""
