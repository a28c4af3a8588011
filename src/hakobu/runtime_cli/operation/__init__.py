"""One module an operation: `OPTIONS`, what it takes, and `run`, which gives the exit code."""
