"""`hakobu doctor`: what this machine has for an engine of root's and of an ordinary user's, and what mends the rest.

Each check looks and changes nothing (what must be tried is tried in a process that ends); a finding that is not `ok`
has a command or a setting that mends it. Run as `python -I -m hakobu.daemon.doctor`.
"""
