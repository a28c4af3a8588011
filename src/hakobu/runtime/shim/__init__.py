"""The shim: one small process a container. Its parent, the holder of its streams, the writer of its log.

Forked from the launcher, single-threaded; it imports nothing after its fork and outlives the daemon. The process
itself sleeps (`parent`), and forks a server (`server`, one epoll loop) when there is something to do. It ends once
its container has ended, the end is on disk and every client was served.
"""
