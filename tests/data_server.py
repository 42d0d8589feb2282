"""A server of one file, with the faults of real ones."""

import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Serves `server.content`; cut off after `server.cut` bytes, slow, or refused with a status."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        server.asked.append(self.headers.get("Range"))
        if server.status != 200:
            self.send_error(server.status)
            return
        start = 0
        if server.ranges and (asked := re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")):
            start = int(asked[1])
        if start >= len(server.content) and start:
            self.send_error(416)
            return
        content = server.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content)))
        for name, value in server.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content[: server.cut])
        self.wfile.flush()
        if server.cut is not None:
            self.close_connection = True
            self.connection.close()

    def log_message(self, *_):
        pass


@contextmanager
def serving(content, *, status=200, cut=None, ranges=True, headers=None):
    """Serve a file at `server.url`; `server.asked` are the ranges that were asked for."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.content, server.status, server.cut, server.ranges = content, status, cut, ranges
        server.asked, server.headers = [], headers or {}
        server.url = f"http://127.0.0.1:{server.server_port}/file"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
