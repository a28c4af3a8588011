"""An engine of an ordinary user's: namespaces in which that user is root, held by a keeper, joined by each daemon.

    hakobu daemon (the user) ── connects ──▶ keeper (the user, in the host's network)
          │                                    │ made: user, mount and network namespace; slirp4netns or pasta
          │ setns, becomes their root          │ binds published ports for the shims
          ▼ execve                             ▼ stays while a process is in the namespaces
    the daemon itself, as everywhere

`subid` and `driver` plan (pure), `namespaces` makes, `keeper` holds, `enter` joins.
"""
