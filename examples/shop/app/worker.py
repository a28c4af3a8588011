"""The shop's book-keeper: moves orders from the queue into the database, one at a time, none lost in between."""

import os
import signal
import sys

import psycopg2
import redis


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    queue = redis.Redis.from_url(os.environ["QUEUE"])
    database = psycopg2.connect(os.environ["DATABASE"])
    with database, database.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS orders (number serial PRIMARY KEY, item text NOT NULL)")
    # what a worker that died had taken and not written down goes first
    while queue.lmove("at-work", "orders", "RIGHT", "LEFT"):
        pass
    while True:
        item = queue.blmove("orders", "at-work", 5)
        if item is not None:
            with database, database.cursor() as cursor:
                cursor.execute("INSERT INTO orders (item) VALUES (%s)", (item.decode(),))
            queue.lrem("at-work", 1, item)


if __name__ == "__main__":
    main()
