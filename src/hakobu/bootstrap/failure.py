"""What can go wrong while an image is made, as facts; each says what to do about it."""

from hakobu.errors import HakobuError, Invalid, Kind


class BadRecipe(Invalid):
    """A recipe that cannot be followed; `field` names the key at fault."""

    def __init__(self, origin: str, field: str, problem: str) -> None:
        super().__init__(f"{origin}: {field}: {problem}", field=field)
        self.origin = origin


class NoSuchRecipe(HakobuError):
    kind = Kind.NOT_FOUND

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(
            f"no recipe for {name}",
            hint=f"recipes here: {', '.join(known)}; `--recipe FILE` takes one of your own",
        )
        self.name = name


class MissingProgram(HakobuError):
    kind = Kind.UNAVAILABLE

    def __init__(self, program: str, package: str) -> None:
        super().__init__(f"{program} is not installed", hint=f"apt install {package}")
        self.program = program
        self.package = package


class MissingKeyring(HakobuError):
    kind = Kind.UNAVAILABLE

    def __init__(self, path: str) -> None:
        super().__init__(
            f"no keys to verify Debian's packages with: {path}",
            hint="apt install debian-archive-keyring (where it is there already, upgrade it: a new suite has new keys)",
        )


class BootstrapFailed(HakobuError):
    """mmdebstrap ended with an error; `log` holds its last lines."""

    kind = Kind.UNAVAILABLE

    def __init__(self, status: int, log: list[str], hint: str) -> None:
        super().__init__("\n".join([f"mmdebstrap failed with exit code {status}", *log]), hint=hint)
        self.status = status
        self.log = log
