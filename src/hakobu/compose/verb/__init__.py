"""The verbs of `hakobu compose`: each takes the context and gives the exit status."""
