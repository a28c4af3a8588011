"""Linux by ctypes: system calls, namespaces, mounts, capabilities, seccomp, cgroups, pidfds, terminals.

One thin function a system call, under the system call's own name, with the constants beside it exactly as the
kernel's headers spell them. Everything here raises `OSError` and nothing else on failure; the text begins with
the name of the system call. No event loop, no thread, no import of a third party's package.
"""
