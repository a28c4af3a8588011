"""The database's tables and how they came to be: numbered migrations, each run once, in order, in one transaction.

A released migration is never edited; a change of the schema is a further entry. Documents are JSON texts that their
owner encodes; the columns beside them are what must be unique or is looked up.
"""

from typing import Final

MIGRATIONS: Final[tuple[str, ...]] = (
    """
    CREATE TABLE containers (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, document TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE networks (id TEXT PRIMARY KEY, name TEXT NOT NULL, document TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE volumes (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, document TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE images (id TEXT PRIMARY KEY, name TEXT NOT NULL, document TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE tags (reference TEXT PRIMARY KEY, image_id TEXT NOT NULL REFERENCES images(id),
        time_ns INTEGER NOT NULL) WITHOUT ROWID;
    CREATE INDEX tags_by_image ON tags (image_id);
    CREATE TABLE layers (key TEXT PRIMARY KEY, directory INTEGER NOT NULL UNIQUE, size INTEGER NOT NULL,
        boot_id TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE blobs (diff_id TEXT NOT NULL, digest TEXT NOT NULL, size INTEGER NOT NULL, media_type TEXT NOT NULL,
        PRIMARY KEY (diff_id, digest)) WITHOUT ROWID;
    CREATE TABLE snapshots (container_id TEXT PRIMARY KEY, directory INTEGER NOT NULL UNIQUE, image_id TEXT NOT NULL,
        init_key TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE leases (id TEXT NOT NULL, resource TEXT NOT NULL, expires_ns INTEGER NOT NULL,
        PRIMARY KEY (id, resource)) WITHOUT ROWID;
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    """,
)

DOCUMENT_TABLES: Final = ("containers", "networks", "volumes", "images")
"""Tables of `id, name, document`: those whose rows are mirrored as files."""
