"""A web server on loopback for the tests: it answers with exactly the bytes that a test gives it."""

import datetime
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

Answer = Callable[[str], Iterable[bytes]]
"""``answer(path)``: the pieces of the whole response, headers included."""


@dataclass
class Server:
    port: int
    requests: list[str] = field(default_factory=list)
    """What was asked: the whole request head."""
    names: list[str | None] = field(default_factory=list)
    """The names that TLS clients asked for."""

    def url(self, path: str = "/", *, host: str = "files.test", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"


def response(body: bytes = b"", *, status: str = "200 OK", length: bool = True, **headers: str) -> Iterator[bytes]:
    """A plain response; ``content_type="text/csv"`` becomes a header."""
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    yield "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body


@contextmanager
def serving(answer: Answer, *, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Answer every request until the context ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(listener.getsockname()[1])
    if tls is not None:
        tls.sni_callback = lambda _socket, name, _context: server.names.append(name)
    thread = Thread(target=_accept, args=(listener, answer, server, tls))
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        listener.close()


def _accept(listener: socket.socket, answer: Answer, server: Server, tls: ssl.SSLContext | None) -> None:
    with suppress(OSError):
        while True:
            plain, _ = listener.accept()
            with suppress(OSError), plain:
                plain.settimeout(5)
                with tls.wrap_socket(plain, server_side=True) if tls else plain as client:
                    head = b""
                    while b"\r\n\r\n" not in head and (piece := client.recv(4096)):
                        head += piece
                    server.requests.append(head.decode())
                    for piece in answer(head.split(b" ")[1].decode()):
                        client.sendall(piece)


def certificate(folder: Path, host: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's TLS context with a certificate of its own for `host`, and a client's that trusts just this one."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{host}.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return server, ssl.create_default_context(cadata=signed.public_bytes(serialization.Encoding.PEM).decode())
