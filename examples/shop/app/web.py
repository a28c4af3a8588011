"""The shop's door: POST /orders puts an item into the queue, GET /orders shows what the worker has written down."""

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import psycopg2
import redis

QUEUE = redis.Redis.from_url(os.environ["QUEUE"])


def sold() -> str:
    """A line for each order, in the order of their arrival."""
    with psycopg2.connect(os.environ["DATABASE"]) as database, database.cursor() as cursor:
        cursor.execute("SELECT to_regclass('orders') IS NOT NULL")
        if not cursor.fetchone()[0]:
            return ""
        cursor.execute("SELECT number, item FROM orders ORDER BY number")
        return "".join(f"{number} {item}\n" for number, item in cursor.fetchall())


class Shop(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/health":
            QUEUE.ping()
            self.answer(200, "ok\n")
        elif self.path == "/orders":
            self.answer(200, sold())
        else:
            self.answer(404, "orders are at /orders\n")

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        for item in form.get("item", []):
            QUEUE.rpush("orders", item)
        self.answer(202, "ordered\n")

    def answer(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("", 8000), Shop).serve_forever()
