"""Bridges, addresses, published ports, firewall rules and names of containers.

Invariant: everything this layer makes on the host bears a name of its `Instance`, and nothing else is touched
except rules marked with that name in other firewalls' own hooks.
"""
