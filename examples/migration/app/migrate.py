"""Brings the database to the newest form: each migration once, in the order of its name, whole or not at all."""

import os
import sys
from pathlib import Path

import psycopg2


def main(folder: str) -> None:
    connection = psycopg2.connect(os.environ["DATABASE"])
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS migration (name text PRIMARY KEY)")
    for file in sorted(Path(folder).glob("*.sql")):
        with connection, connection.cursor() as cursor:
            cursor.execute("INSERT INTO migration VALUES (%s) ON CONFLICT DO NOTHING", (file.name,))
            if cursor.rowcount:
                cursor.execute(file.read_text())
                print(f"{file.name}: done", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
