"""A step's arguments as the executors take them: of the right type, or empty. Who makes plans has checked them."""

from hakobu.runtime.child import Args


def text(args: Args, key: str) -> str:
    value = args.get(key, "")
    return value if isinstance(value, str) else ""


def number(args: Args, key: str) -> int:
    value = args.get(key, 0)
    return value if isinstance(value, int) else 0


def texts(args: Args, key: str) -> list[str]:
    value = args.get(key)
    return [v for v in value if isinstance(v, str)] if isinstance(value, list) else []
