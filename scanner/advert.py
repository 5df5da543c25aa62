"""What a server says of a repository's refs, asked without git: one request tells whether anything changed.

A fetch that brings nothing still starts four processes. Source of the form:
https://git-scm.com/docs/gitprotocol-http, "Smart Clients", and gitprotocol-common, "pkt-line".
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import os
import threading
from urllib.parse import urlsplit

from scanner.clones import Credentials

_MOST = 256 * 1024 * 1024
_kept = threading.local()  # connections by scheme and host: one process asks many times


def advertised(url: str, credentials: Credentials | None, timeout: float = 30.0) -> bytes | None:
    """Return a digest of all refs of a repository, or None where only a fetch can tell.

    A redirect is not followed, so that a token goes to no other host; behind a proxy nothing is asked.
    """
    parts = urlsplit(url)
    proxies = [name for name in os.environ if name.lower() in ("http_proxy", "https_proxy", "all_proxy")]
    if parts.scheme not in ("http", "https") or not parts.hostname or proxies:
        return None
    headers = {"User-Agent": "git/2.40 (keyleash)", "Accept": "*/*"}
    if credentials and f"{parts.scheme}://{parts.netloc}" == credentials.url:
        pair = base64.b64encode(f"{credentials.user}:{credentials.token}".encode()).decode()
        headers["Authorization"] = f"Basic {pair}"
    try:
        body = _get(f"{parts.scheme}://{parts.netloc}", f"{parts.path}/info/refs?service=git-upload-pack", headers, timeout)
        return None if body is None else _digest(body)
    except (OSError, http.client.HTTPException, ValueError):
        return None


def _get(base: str, path: str, headers: dict[str, str], timeout: float) -> bytes | None:
    opened: dict[str, http.client.HTTPConnection] = _kept.__dict__
    for fresh in (base not in opened, True):  # a connection that was kept may be closed meanwhile
        try:
            if fresh:
                opened[base] = _connect(base, timeout)
            opened[base].request("GET", path, headers=headers)
            answer = opened[base].getresponse()
            body = answer.read(_MOST + 1)
            right = answer.getheader("Content-Type") == "application/x-git-upload-pack-advertisement"
            return body if answer.status == 200 and right and len(body) <= _MOST else None
        except (OSError, http.client.HTTPException):
            opened.pop(base).close()
            if fresh:
                raise
    return None


def _connect(base: str, timeout: float) -> http.client.HTTPConnection:
    parts = urlsplit(base)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.hostname or "", parts.port, timeout=timeout)


def _digest(body: bytes) -> bytes:
    """Return the digest of the refs alone; behind the first stands what the server is able to. Raises `ValueError`."""
    digest, at, ends = hashlib.sha256(), 0, 0
    while at < len(body):
        length = int(body[at : at + 4], 16)
        if length >= 4:
            digest.update(body[at + 4 : at + length].split(b"\0")[0].rstrip(b"\n") + b"\n")
        elif length == 0:
            ends += 1
        at += max(length, 4)
    if at != len(body) or ends != 2:  # one behind the service's name, one at the end
        raise ValueError("cut off")
    return digest.digest()
