"""Scoped sockets: the same routes and handlers over services that show and do only what a policy says."""
