"""Notes: GET shows them, POST writes one down. It needs the table that the migrations make."""

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg2


class Notes(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        with psycopg2.connect(os.environ["DATABASE"]) as database, database.cursor() as cursor:
            cursor.execute("SELECT number, text FROM note ORDER BY written, number")
            self.answer(200, "".join(f"{number} {text}\n" for number, text in cursor.fetchall()))

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with psycopg2.connect(os.environ["DATABASE"]) as database, database.cursor() as cursor:
            cursor.execute("INSERT INTO note (text) VALUES (%s)", (text,))
        self.answer(201, "written\n")

    def answer(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("", 8000), Notes).serve_forever()
