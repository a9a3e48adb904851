# SPDX-License-Identifier: MIT
"""demo_page.py ADDRESS - a web server on port 80 that tells everybody from which address they come"""

import http.server
import socket
import sys


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = f"Hello {self.client_address[0]}, this page came to you over IPv6.\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


class Server(http.server.HTTPServer):
    address_family = socket.AF_INET6


Server((sys.argv[1], 80), Page).serve_forever()
