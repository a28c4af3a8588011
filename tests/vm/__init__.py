"""The main job in a virtual machine: Debian 12's own kernel, pure cgroup v2, emulated, nothing of the host's.

`smoke` is the host's side and prints the verdict; `parts` makes the root file system, the kernel and the payload
(cached under `.state/vm`); `initramfs` packs the first files; `guest` runs inside as PID 1's only program.
"""
