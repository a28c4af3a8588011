"""The embedded DNS server of an instance: a process of its own, for containers on user-defined networks.

It answers names of containers from a snapshot file that the daemon writes, and asks the host's servers for others.
Its sockets inside a container's namespace are on random high ports of 127.0.0.11; an nft table there maps port 53
to them, so that a DNS server in the container can have port 53. It goes on answering while the daemon is away.
"""
