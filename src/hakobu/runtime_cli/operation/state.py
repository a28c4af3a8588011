"""Prints the container's state, the document of the runtime specification."""

import json

from hakobu.runtime_cli.container import find
from hakobu.runtime_cli.context import Context
from hakobu.runtime_cli.option import Parsed

OPTIONS = ()


def run(context: Context, given: Parsed) -> int:
    print(json.dumps(find(context.root, given.operand(0, "container id")).state(), indent=2))
    return 0
