"""Images, layers, snapshots and volumes on disk, and the database of what exists. Synchronous and thread-safe."""
