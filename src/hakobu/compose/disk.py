"""The files a project is made of: read as text, and noted, so that one may tell later whether they are still the same.

What was looked for and not found is noted too: an override file or an `.env` that appears makes another project.
"""

import os
import sys

from hakobu.compose.failure import BadComposeFile, Mark


class Disk:
    """Reads for one `load`. `texts` maps each path that was asked for to its content, None where there is no file."""

    def __init__(self) -> None:
        self.texts: dict[str, str | None] = {}

    def read(self, file: str) -> str:
        """The whole text of a file, or of standard input for `-`; BadComposeFile where there is none to be had."""
        try:
            if file == "-":
                text = self.texts.get(file) or sys.stdin.read()  # it can be read once only
            else:
                with open(file, encoding="utf-8") as stream:
                    text = stream.read()
        except OSError as e:
            raise BadComposeFile(Mark(file), f"cannot be read: {e.strerror}") from e
        except UnicodeDecodeError as e:
            raise BadComposeFile(Mark(file), f"is not UTF-8: {e.reason}") from e
        self.texts[file] = text
        return text

    def has(self, path: str) -> bool:
        """Whether there is anything of this name."""
        return self._noted(path, os.path.exists(path))

    def has_file(self, path: str) -> bool:
        """Whether there is a file of this name, and no folder."""
        return self._noted(path, os.path.isfile(path))

    def _noted(self, path: str, is_there: bool) -> bool:
        if not is_there:
            self.texts.setdefault(path, None)
        return is_there
