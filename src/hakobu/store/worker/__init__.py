"""The worker: a process for what would hold the daemon's interpreter. Exec'd, confined, one job at a time."""
