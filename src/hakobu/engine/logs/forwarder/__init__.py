"""The process that sends containers' lines to receivers: syslog, journald, Graylog, Fluentd.

One an instance, started with the first container that needs it, ended with the daemon. It reads what shims wrote
to disk and remembers how far it came, so a receiver or a daemon that is away costs nothing but time.
"""

from typing import Final

CONTROL_FD: Final = 3
"""Where the process finds the daemon."""
