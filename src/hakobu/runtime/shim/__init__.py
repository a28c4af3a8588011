"""The shim: one small process a container. Its parent, the holder of its streams, the writer of its log.

Forked from the launcher, single-threaded, driven by one epoll loop; it imports nothing after its fork and
outlives the daemon. It ends once its container has ended, the end is on disk and every client was served.
"""
