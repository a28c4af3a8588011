"""The OCI runtime: plans carried out by launcher, shim and child."""
