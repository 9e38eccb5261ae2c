"""Requests to addresses that callers name: to public addresses only, to the very address that was checked, and no further.

The name is looked up once; where any of its addresses is not public, nothing is sent. The connection goes to the address that was
checked (a name that changes its address in between leads nowhere else), TLS checks the name, and redirects are not followed.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from urllib.parse import SplitResult, urlsplit

from galaxies.errors import BadInput, Transient

MOST_CHARACTERS = 2000
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def check_url(url: str, *, private: bool) -> SplitResult:
    """The parts of an address that may be called.

    Raises
    ------
    BadInput : it is no http or https address, holds credentials, or names an address that is not public by number.
    """
    allowed = f"an http or https address of at most {MOST_CHARACTERS} characters, without credentials"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadInput(f"{url[:60]!r} is no address; allowed is {allowed}") from None
    plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= MOST_CHARACTERS
    if not plain or parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None or port == 0:
        raise BadInput(f"{url[:60]!r} cannot be called; allowed is {allowed}")
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(parts.hostname)
        if not private and not is_public(address):
            raise BadInput(f"{address} is not a public address; this service calls no others")
    return parts


def is_public(address: _Address) -> bool:
    """Whether ``address`` is of the public internet, also where an IPv6 address only wraps an IPv4 one."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
    local = isinstance(address, ipaddress.IPv6Address) and address.is_site_local
    return address.is_global and not local and not address.is_multicast and not address.is_reserved


def post(url: str, body: bytes, headers: Mapping[str, str], *, private: bool, seconds: float) -> int:
    """Send ``body`` and return the status of the answer, which is not read further.

    Raises
    ------
    BadInput : the address is not allowed, or its name leads to one that is not public.
    Transient : it cannot be reached, or does not answer within ``seconds``.
    """
    parts = check_url(url, private=private)
    assert parts.hostname is not None
    port = parts.port or (443 if parts.scheme == "https" else 80)
    end = time.monotonic() + seconds
    address = _resolve_within(parts.hostname, port, private, seconds)
    left = max(0.001, end - time.monotonic())
    connection = _Pinned(parts, port, address, left)
    late = threading.Timer(left, connection.cut)  # a timeout alone starts anew with every byte
    late.daemon = True
    late.start()
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, body, dict(headers))
        return connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise Transient(f"{parts.hostname} cannot be reached: {error or type(error).__name__}") from None
    finally:
        late.cancel()
        connection.close()


def _resolve_within(host: str, port: int, private: bool, seconds: float) -> str:
    """`_resolve`, on a thread that is left alone when it takes too long: nothing can break off a look-up of a name."""
    found: Future[str] = Future()

    def look_up() -> None:
        try:
            found.set_result(_resolve(host, port, private))
        except Exception as error:
            found.set_exception(error)

    threading.Thread(target=look_up, name="resolve", daemon=True).start()
    try:
        return found.result(seconds)
    except TimeoutError:
        raise Transient(f"{host} has no address after {seconds:g} seconds") from None


def _resolve(host: str, port: int, private: bool) -> str:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Transient(f"{host} has no address: {error}") from None
    addresses = [str(entry[4][0]).partition("%")[0] for entry in found]
    refused = [address for address in addresses if not private and not is_public(ipaddress.ip_address(address))]
    if refused or not addresses:
        raise BadInput(f"{host} leads to {', '.join(refused) or 'nowhere'}, which is not a public address")
    return addresses[0]


class _Pinned(http.client.HTTPConnection):
    """A connection to ``address`` in the name of another host."""

    def __init__(self, parts: SplitResult, port: int, address: str, seconds: float) -> None:
        super().__init__(parts.hostname or "", port, timeout=seconds)
        self.default_port = 443 if parts.scheme == "https" else 80
        self._address, self._late = address, False
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), self.timeout)
        if self._tls is not None:
            self.sock = self._tls.wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
        if self._late:  # from here on `cut` has the socket that is read from
            raise TimeoutError("timed out")
        if isinstance(self.sock, ssl.SSLSocket):
            self.sock.do_handshake()

    def cut(self) -> None:
        """End it, whatever it is doing."""
        self._late = True
        with contextlib.suppress(OSError, AttributeError):
            self.sock.shutdown(socket.SHUT_RDWR)
