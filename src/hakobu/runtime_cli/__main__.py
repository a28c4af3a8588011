"""A call by the installed script, which says its own name first, before there is a mount of the interpreter."""

import sys

from hakobu.runtime_cli.entry import first

first(sys.argv[1], sys.argv[2:])
