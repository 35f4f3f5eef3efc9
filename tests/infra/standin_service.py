"""A service for tests of the supervisor: standin_service.py PORT NAME [deaf]

`/readyz` answers 200, `/pid` the process's number; `deaf` ignores SIGTERM.
"""

import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = str(os.getpid()).encode() if self.path == "/pid" else b"ready"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Silent."""


def leave(*_arguments: object) -> None:
    print(f"{sys.argv[2]} leaves", flush=True)  # noqa: T201  its log is what the tests read
    os._exit(0)


def main() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN if "deaf" in sys.argv else leave)
    with ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler) as server:
        print(f"{sys.argv[2]} listens", flush=True)  # noqa: T201
        server.serve_forever()


if __name__ == "__main__":
    main()
