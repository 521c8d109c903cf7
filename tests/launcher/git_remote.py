"""A git remote over HTTP for tests: git_remote.py ROOT LOG [CERTIFICATE KEY]. Prints its port.

  /open/X        the repository ROOT/X, for everybody
  /private/X     the same for who has the password "right-token"
  /moved/P/X     a redirect to port P on "localhost", path /private/X
  /away/X        a redirect to /open/X here
  /busy/N/X      503 for the first N requests, then as /open/X
  /silent/X      takes the request and never answers
Every request is a line in LOG: its path and its Authorization header, decoded.
"""
import base64
import collections
import http.server
import os
import ssl
import subprocess
import sys
import time

ROOT, LOG = sys.argv[1:3]
asked = collections.Counter()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def plain(self, status, *headers):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def body(self):
        if self.headers.get("Transfer-Encoding", "") == "chunked":
            data = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return data
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def handle_any(self):
        path, _, query = self.path.partition("?")
        given = self.headers.get("Authorization", "")
        login = base64.b64decode(given[6:]).decode() if given.startswith("Basic ") else given
        data = self.body()
        with open(LOG, "a") as log:
            log.write(f"{path} [{login}]\n")
        kind, _, rest = path[1:].partition("/")
        if kind == "moved":
            port, _, rest = rest.partition("/")
            scheme = "https" if isinstance(self.connection, ssl.SSLSocket) else "http"
            return self.plain(302, ("Location", f"{scheme}://localhost:{port}/private/{rest}?{query}"))
        if kind == "away":
            return self.plain(301, ("Location", f"/open/{rest}?{query}"))
        if kind == "busy":
            count, _, rest = rest.partition("/")
            asked[kind] += 1
            if asked[kind] <= int(count):
                return self.plain(503)
        if kind == "silent":
            time.sleep(600)
        if kind == "private" and not login.endswith(":right-token"):
            return self.plain(401, ("WWW-Authenticate", 'Basic realm="test"'))
        environment = dict(
            os.environ, GIT_PROJECT_ROOT=ROOT, GIT_HTTP_EXPORT_ALL="1", REQUEST_METHOD=self.command,
            PATH_INFO="/" + rest, QUERY_STRING=query, CONTENT_TYPE=self.headers.get("Content-Type", ""),
            GIT_PROTOCOL=self.headers.get("Git-Protocol", ""), REMOTE_ADDR="127.0.0.1",
            HTTP_CONTENT_ENCODING=self.headers.get("Content-Encoding", ""), GIT_CONFIG_NOSYSTEM="1",
            GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0="safe.directory", GIT_CONFIG_VALUE_0="*")
        answer = subprocess.run(["git", "http-backend"], input=data, env=environment, stdout=subprocess.PIPE).stdout
        head, _, content = answer.partition(b"\r\n\r\n")
        headers = [line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line]
        status = next((int(value.split()[0]) for name, value in headers if name == "Status"), 200)
        self.send_response(status)
        for name, value in headers:
            if name != "Status":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = handle_any


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
if len(sys.argv) > 3:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[3], sys.argv[4])
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
