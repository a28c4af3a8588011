"""The flags that stand before the command. Data only; what they print is in `front_page`."""

from __future__ import annotations

from hakobu.cli.kind import BOOL, LIST, STRING
from hakobu.cli.table import Flag

GLOBAL_FLAGS = (
    Flag("config", "", STRING, "Folder of the client's configuration"),
    Flag("context", "c", STRING, "Use the engine of this docker context"),
    Flag("debug", "D", BOOL, "Tell more about failures"),
    Flag("host", "H", LIST, "Address of the engine to speak to"),
    Flag("log-level", "l", STRING, "How much to log: debug, info, warn, error or fatal", "info"),
    Flag("tls", "", BOOL, "Speak TLS to the engine, whoever it is"),
    Flag("tlscacert", "", STRING, "File of the authority whose engines are trusted"),
    Flag("tlscert", "", STRING, "File of the certificate shown to the engine"),
    Flag("tlskey", "", STRING, "File of that certificate's key"),
    Flag("tlsverify", "", BOOL, "Speak TLS, only to an engine that is trusted"),
    Flag("version", "v", BOOL, "Print the program's version and leave"),
)
