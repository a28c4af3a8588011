"""A site of one page: its version, and how many visits there have been. It ends what it has begun before it goes."""

import fcntl
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

VISITS = "/data/visits"


def count() -> int:
    """One more visit, of all replicas, in a file they share."""
    with open(VISITS, "a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        visits = int(file.read() or 0) + 1
        file.truncate(0)
        file.write(str(visits))
    return visits


class Site(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"ok\n"
        if self.path != "/health":
            body = f"version {os.environ['VERSION']}, visit {count()}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """The proxy keeps the log."""


class Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128


if __name__ == "__main__":
    with Server(("", 8000), Site) as server:
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
        server.serve_forever()
