"""Fetching by URL: nothing but public addresses unless the server's owner says so, pinned, bounded, verified."""

import gzip
import json
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from modelmint.core.errors import DataError, InputError, ModelmintError, UnavailableError
from modelmint.core.web.public_urls import Allowed, parse_url, system_addresses
from modelmint.data.sources.web import Limits, fetch, validators
from modelmint.data.sources.web_headers import next_link, suffix_for
from modelmint.data.sources.web_source import Paging, fetch_records
from tests.data.web_server import certificate, response, serving

CSV = b"text,label\nhello,a\nbye,b\n"

BAD_URLS = {
    "file": "file:///etc/passwd",
    "ftp": "ftp://example.com/a.csv",
    "gopher": "gopher://example.com/_x",
    "data": "data:text/csv,a",
    "no scheme": "//example.com/a.csv",
    "scheme in a scheme": "http:http://127.0.0.1/",
    "one slash": "http:/127.0.0.1/",
    "no host": "http:///a.csv",
    "user": "http://user@example.com/",
    "user and password": "https://user:word@example.com/",
    "empty user": "http://@example.com/",
    "host after an at sign": "http://example.com@127.0.0.1/",
    "hash before an at sign": "http://127.0.0.1#@example.com/",
    "backslash": "http://example.com\\@127.0.0.1/",
    "space": "http://example.com /",
    "tab": "http://exam\tple.com/",
    "line break": "http://example.com/\r\nHost: 127.0.0.1",
    "NUL": "http://example.com\0.127.0.0.1/",
    "zero width": "http://example\u200b.com/",
    "half a pair": "http://example.com/\ud800",
    "too long": "http://example.com/" + "a" * 2000,
    "port 22": "http://example.com:22/",
    "port 8080": "http://example.com:8080/",
    "port 0": "http://example.com:0/",
    "port 65536": "http://example.com:65536/",
    "empty port": "http://example.com:/",
    "port of letters": "http://example.com:http/",
    "localhost": "http://localhost/",
    "localhost with a dot": "http://localhost./",
    "under localhost": "http://a.localhost/",
    "one word": "http://intranet/",
    "internal": "http://metadata.google.internal/",
    "local": "http://printer.local/",
    "decimal": "http://2130706433/",
    "hexadecimal": "http://0x7f000001/",
    "octal": "http://0177.0.0.1/",
    "octal in one": "http://017700000001/",
    "hexadecimal parts": "http://0x7f.0x0.0x0.0x1/",
    "two parts": "http://127.1/",
    "three parts": "http://127.0.1/",
    "one zero": "http://0/",
    "leading zeros": "http://127.000.000.001/",
    "percent": "http://%31%32%37.0.0.1/",
    "full-width digits": "http://１２７.０.０.１/",
    "full-width dots": "http://127。0。0。1/",
    "circled letters": "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/",
    "empty label": "http://example..com/",
    "hyphen first": "http://-example.com/",
    "label too long": "http://" + "a" * 64 + ".com/",
    "name too long": "http://" + "a." * 130 + "com/",
    "zone": "http://[fe80::1%25eth0]/",
    "open bracket": "http://[::1/",
    "no IPv6": "http://[::1::2]/",
}
BAD_ADDRESSES = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254",
    "168.63.129.16", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1",
    "192.168.1.1", "198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1",
    "255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b:1::a00:1", "100::1", "2001::1", "2001:0:7f00:1::", "2001:db8::1", "2001:10::1", "2002:7f00:1::1",
    "2606:4700::5efe:7f00:1", "3fff::1", "4000::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1",
]  # fmt: skip


def limits(**changed: object) -> Limits:
    """The tests' host is allowed as the server's owner allows it; its name leads to this machine."""
    given: dict[str, object] = {
        "max_bytes": 10_000_000,
        "timeout_s": 5.0,
        "allowed": Allowed.parse(["files.test"]),
        "resolve": lambda _host, _port: ["127.0.0.1"],
    }
    return Limits(**(given | changed))  # type: ignore[arg-type]


def refused(url: str, folder: Path, said: str, kind: type[ModelmintError] = DataError, **changed: object) -> None:
    """Fetching raises, and leaves no file."""
    with pytest.raises(kind, match=said):
        fetch(url, folder, limits(**changed))
    assert not list(folder.iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "fetched"
    made.mkdir()
    return made


@pytest.mark.parametrize("url", BAD_URLS.values(), ids=BAD_URLS)
def test_a_url_that_may_lead_inside_is_refused_before_any_look_up(folder: Path, url: str) -> None:
    asked: list[str] = []

    def resolve(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return ["93.184.216.34"]

    refused(url, folder, "source: a URL", allowed=Allowed(), resolve=resolve)
    assert not asked


@pytest.mark.parametrize("address", BAD_ADDRESSES)
def test_an_address_that_is_not_public_is_refused_by_itself(folder: Path, address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    refused(f"http://{host}/", folder, "must lead to a public address", allowed=Allowed())


@pytest.mark.parametrize("address", BAD_ADDRESSES)
def test_a_name_with_one_address_that_is_not_public_is_refused(folder: Path, address: str) -> None:
    refused(
        "https://data.example.com/a.csv",
        folder,
        "must lead to a public address",
        allowed=Allowed(),
        resolve=lambda _host, _port: ["93.184.216.34", address, "2606:4700::1111"],
    )


@pytest.mark.parametrize("addresses", [[], ["93.184.216.34"] * 17])
def test_no_address_or_absurdly_many_are_refused(folder: Path, addresses: list[str]) -> None:
    url = "https://data.example.com/a.csv"
    refused(
        url,
        folder,
        "must have a host with 1 to 16 addresses",
        allowed=Allowed(),
        resolve=lambda _host, _port: addresses,
    )


@pytest.mark.parametrize("address", ["169.254.169.254", "fd00:ec2::254", "224.0.0.1", "0.0.0.0", "::ffff:10.0.0.1"])
def test_a_name_that_is_allowed_does_not_open_more_than_private_addresses(folder: Path, address: str) -> None:
    refused("http://files.test/", folder, "must lead to a public address", resolve=lambda _host, _port: [address])


@pytest.mark.parametrize("entry", ["http://a.b", "a b", "10.0.0.0/33", "0x7f.1", "a:b", "*", "a.b:99:1"])
def test_a_setting_that_is_no_host_is_refused(entry: str) -> None:
    with pytest.raises(InputError, match="MODELMINT_ALLOW_PRIVATE_URLS: must be host names"):
        Allowed.parse([entry])


def test_a_name_with_a_port_in_the_setting_opens_that_port_alone() -> None:
    allowed = Allowed.parse(["files.test:8443"])
    assert parse_url("https://files.test:8443/a", allowed).authority == "files.test:8443"
    with pytest.raises(DataError, match="must have the port 80 or 443"):
        parse_url("https://files.test:8444/a", allowed)


def test_a_block_in_the_setting_opens_its_addresses_alone(folder: Path) -> None:
    refused("http://10.0.0.1/", folder, "public address", allowed=Allowed.parse(["127.0.0.0/8"]))
    with serving(lambda _: response(CSV)) as server:
        mine = limits(allowed=Allowed.parse(["127.0.0.0/8"]), resolve=None)
        assert fetch(server.url(host="127.0.0.1"), folder, mine).path.read_bytes() == CSV


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("HTTPS://Data.Example.COM", "https://data.example.com/"),
        ("https://data.example.com.:443/a?b=c#d", "https://data.example.com/a?b=c"),
        ("http://data.example.com:443", "http://data.example.com:443/"),
        ("https://例子.测试/数据.csv", "https://xn--fsqu00a.xn--0zwm56d/%E6%95%B0%E6%8D%AE.csv"),
        ("https://data.example.com/%2e%2e/a%20b", "https://data.example.com/%2e%2e/a%20b"),
        ("http://[2606:4700:0::1111]/", "http://[2606:4700::1111]/"),
        ("http://8.8.8.8/?q=a|b", "http://8.8.8.8/?q=a%7Cb"),
    ],
)
def test_a_public_url_is_asked_for_in_one_spelling(written: str, asked: str) -> None:
    assert parse_url(written, Allowed()).url == asked


def test_a_name_is_looked_up_once_and_its_address_pinned(folder: Path) -> None:
    """DNS rebinding: a second look-up would lead elsewhere."""
    answers: Iterator[list[str]] = iter([["127.0.0.1"], ["10.66.66.66"]])
    with serving(lambda _: response(CSV)) as server:
        mine = limits(resolve=lambda _host, _port: next(answers))
        assert fetch(server.url(), folder, mine).path.read_bytes() == CSV
    assert next(answers) == ["10.66.66.66"]


def test_the_next_address_is_tried_where_the_first_does_not_answer(folder: Path) -> None:
    with serving(lambda _: response(CSV)) as server:
        mine = limits(resolve=lambda _host, _port: ["127.0.0.2", "127.0.0.1"])
        assert fetch(server.url(), folder, mine).num_bytes == len(CSV)


def test_the_request_names_the_host_and_carries_no_secret(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with serving(lambda _: response(CSV, set_cookie="a=b")) as server:
        for name in ("one", "two"):
            fetch(server.url("/a.csv?x=1"), folder, limits(), name=name)
    assert server.requests[1].splitlines() == [
        "GET /a.csv?x=1 HTTP/1.1",
        f"Host: files.test:{server.port}",
        "User-Agent: modelmint",
        "Accept: */*",
        "Accept-Encoding: gzip, identity",
        "Connection: close",
        "",
    ]


@pytest.mark.parametrize(
    "location",
    ["http://127.0.0.1/", "http://10.0.0.1/a.csv", "http://169.254.169.254/latest/meta-data/", "//localhost/",
     "file:///etc/passwd", "http://files.test@10.0.0.1/", "http://2130706433/", "http://[::1]/"],
)  # fmt: skip
def test_a_redirect_inside_is_refused(folder: Path, location: str) -> None:
    with serving(lambda _: response(status="302 Found", location=location)) as server:
        refused(server.url(), folder, "source: a URL")


def test_a_redirect_to_a_name_that_leads_inside_is_refused(folder: Path) -> None:
    places = {"files.test": ["127.0.0.1"], "evil.example.com": ["10.0.0.1"]}
    with serving(lambda _: response(status="301 Moved", location="http://evil.example.com/")) as server:
        refused(server.url(), folder, "must lead to a public address", resolve=lambda host, _port: places[host])


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Again", "308 Moved"])
def test_a_redirect_is_followed(folder: Path, status: str) -> None:
    def answer(path: str) -> Iterable[bytes]:
        return response(CSV) if path == "/b.csv" else response(status=status, location="../b.csv")

    with serving(answer) as server:
        assert fetch(server.url("/x/a.csv"), folder, limits()).url == server.url("/b.csv")


def test_redirects_without_end_are_refused(folder: Path) -> None:
    with serving(lambda path: response(status="302 Found", location=path + "a")) as server:
        refused(server.url(), folder, "may redirect at most 5 times")
    assert len(server.requests) == 6


def test_a_redirect_to_nowhere_is_refused(folder: Path) -> None:
    with serving(lambda _: response(status="302 Found")) as server:
        refused(server.url(), folder, "redirects to nowhere")


@pytest.mark.parametrize(
    ("status", "kind"),
    [("404 Not Found", DataError), ("206 Partial", DataError), ("401 No", DataError), ("204 Nothing", DataError),
     ("500 Broken", UnavailableError), ("429 Slower", UnavailableError)],
)  # fmt: skip
def test_an_answer_that_is_no_file_is_refused(folder: Path, status: str, kind: type[ModelmintError]) -> None:
    with serving(lambda _: response(b"" if status.startswith("204") else b"sorry", status=status)) as server:
        refused(server.url(), folder, f"HTTP {status[:3]}", kind)


def test_a_declared_size_too_large_is_refused(folder: Path) -> None:
    with serving(lambda _: response(CSV, length=False, content_length="99999999")) as server:
        refused(server.url(), folder, "may have 1,000 bytes", max_bytes=1000)


def test_a_body_larger_than_allowed_is_refused_whatever_is_declared(folder: Path) -> None:
    def answer(_: str) -> Iterable[bytes]:
        yield from response(length=False)
        for _ in range(1000):
            yield b"x" * 10_000

    with serving(answer) as server:
        refused(server.url(), folder, "may have 50,000 bytes", max_bytes=50_000)


def test_a_body_that_ends_early_is_refused(folder: Path) -> None:
    with serving(lambda _: response(CSV, length=False, content_length="1000")) as server:
        refused(server.url(), folder, "broke off", UnavailableError)


def test_a_packed_body_is_unpacked(folder: Path) -> None:
    with serving(lambda _: response(gzip.compress(CSV), content_encoding="gzip")) as server:
        assert fetch(server.url(), folder, limits()).path.read_bytes() == CSV


def test_a_packed_bomb_is_refused(folder: Path) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    with serving(lambda _: response(bomb, content_encoding="gzip")) as server:
        refused(server.url(), folder, "may have 10,000,000 bytes, packed and unpacked")


@pytest.mark.parametrize("encoding", ["br", "zstd", "deflate", "gzip, gzip", "compress"])
def test_a_body_packed_in_another_way_is_refused(folder: Path, encoding: str) -> None:
    with serving(lambda _: response(CSV, content_encoding=encoding)) as server:
        refused(server.url(), folder, "gzip or identity are taken")


@pytest.mark.parametrize("body", [CSV, gzip.compress(CSV)[:-5], gzip.compress(CSV) + b"more"])
def test_a_packed_body_that_is_damaged_is_refused(folder: Path, body: bytes) -> None:
    with serving(lambda _: response(body, content_encoding="gzip")) as server:
        refused(server.url(), folder, "came broken")


@pytest.mark.parametrize("where", ["head", "body"])
def test_a_server_that_drips_is_left_in_time(folder: Path, where: str) -> None:
    def answer(_: str) -> Iterable[bytes]:
        yield b"HTTP/1.1 200 OK\r\n" if where == "head" else b"HTTP/1.1 200 OK\r\n\r\n"
        for _ in range(100):
            time.sleep(0.05)
            yield b"X-A: b\r\n"

    began = time.monotonic()
    with serving(answer) as server:
        refused(server.url(), folder, "took longer than 0.4 s", UnavailableError, timeout_s=0.4)
        assert time.monotonic() - began < 2


def test_a_look_up_that_hangs_is_left_in_time(folder: Path) -> None:
    def resolve(_host: str, _port: int) -> Sequence[str]:
        time.sleep(1)
        return ["127.0.0.1"]

    refused("http://files.test/", folder, "no answer in time", UnavailableError, resolve=resolve, timeout_s=0.2)


def test_a_name_without_an_address_is_said(folder: Path) -> None:
    def resolve(_host: str, _port: int) -> Sequence[str]:
        raise socket.gaierror(-2, "Name or service not known")

    refused("http://files.test/", folder, "has no address", UnavailableError, resolve=resolve)


@pytest.mark.parametrize(
    "raw",
    [b"", b"\x00\x01\x02", b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 200 OK\r\nA" + b"a" * 300_000, b"HTTP/1.1 abc\r\n\r\n"],
)
def test_what_speaks_no_http_is_refused(folder: Path, raw: bytes) -> None:
    with serving(lambda _: [raw]) as server:
        refused(server.url(), folder, "broke off", UnavailableError)


def test_a_port_where_nothing_listens_is_said(folder: Path) -> None:
    with serving(lambda _: response()) as server:
        pass
    refused(server.url(), folder, "broke off", UnavailableError)


def test_tls_asks_for_the_name_and_verifies_it(tmp_path: Path, folder: Path) -> None:
    theirs, ours = certificate(tmp_path, "files.test")
    with serving(lambda _: response(CSV), tls=theirs) as server:
        assert fetch(server.url(scheme="https"), folder, limits(tls=ours)).num_bytes == len(CSV)
    assert server.names == ["files.test"]


@pytest.mark.parametrize("wrong", ["another name", "an unknown authority"])
def test_a_certificate_that_does_not_fit_is_refused(tmp_path: Path, folder: Path, wrong: str) -> None:
    theirs, ours = certificate(tmp_path, "files.test" if wrong == "an unknown authority" else "other.test")
    with serving(lambda _: response(CSV), tls=theirs) as server:
        trusted = None if wrong == "an unknown authority" else ours
        refused(server.url(scheme="https"), folder, "certificate verify failed", UnavailableError, tls=trusted)


def test_a_redirect_from_https_to_http_is_refused(tmp_path: Path, folder: Path) -> None:
    theirs, ours = certificate(tmp_path, "files.test")
    with serving(lambda _: response(status="302 Found", location="http://files.test/"), tls=theirs) as server:
        refused(server.url(scheme="https"), folder, "from https to http", tls=ours)


def test_the_state_of_a_file_is_told_by_its_tag() -> None:
    with serving(lambda _: response(CSV, etag='"17"', last_modified="today")) as server:
        assert validators(server.url(), limits()) == '"17"'


def test_the_state_of_a_file_out_of_reach_is_unknown() -> None:
    with serving(lambda _: response()) as server:
        pass
    assert validators(server.url(), limits()) is None


def test_nothing_private_is_allowed_by_itself(folder: Path) -> None:
    with pytest.raises(DataError, match="MODELMINT_ALLOW_PRIVATE_URLS"):
        fetch("http://127.0.0.1/a.csv", folder, Limits(max_bytes=1, timeout_s=1))


def test_the_environment_allows_hosts_of_ones_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELMINT_ALLOW_PRIVATE_URLS", "data.corp, 127.0.0.0/8")
    with serving(lambda _: response(CSV)) as server:
        assert fetch(server.url(host="127.0.0.1"), folder, Limits(max_bytes=99, timeout_s=5)).num_bytes == len(CSV)


def test_the_system_resolver_finds_this_machine() -> None:
    assert "127.0.0.1" in system_addresses("localhost", 80)


@pytest.mark.parametrize(
    ("content_type", "path", "suffix"),
    [
        ("text/csv", "/export?format=csv", ".csv"),
        ("text/plain", "/data/train.csv", ".csv"),
        ("text/plain", "/data/train.csv.gz?raw=1", ".csv.gz"),
        ("application/gzip", "/train.jsonl.gz", ".jsonl.gz"),
        ("application/json", "/records", ".json"),
        ("text/html", "/train.csv", ".html"),
        ("application/octet-stream", "/a/train.parquet", ".parquet"),
        ("application/zip", "/download/17", ".zip"),
        ("application/x-tar", "/a.tar.gz", ".tar.gz"),
        ("", "/", ".txt"),
    ],
)
def test_the_suffix_says_what_came(content_type: str, path: str, suffix: str) -> None:
    assert suffix_for(content_type, path) == suffix


@pytest.mark.parametrize(
    ("header", "url"),
    [
        ('</a?page=2>; rel="next", </a?page=9>; rel="last"', "/a?page=2"),
        ('</a?page=1>; rel="prev", <https://b.c/?x=1>; rel=next', "https://b.c/?x=1"),
        ('</a>; rel="prev"', None),
        ("", None),
        ("rel=next", None),
    ],
)
def test_the_link_header_names_the_next_page(header: str, url: str | None) -> None:
    assert next_link(header) == url


def api(pages: dict[str, object], **headers: str) -> Callable[[str], Iterable[bytes]]:
    return lambda path: response(json.dumps(pages[path]).encode(), content_type="application/json", **headers)


def records(path: Path) -> list[object]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_records_of_every_page_are_read(folder: Path) -> None:
    pages: dict[str, object] = {
        "/a": {"data": {"items": [{"text": "你好"}, {"text": "b\n"}]}, "next": "/a?page=2"},
        "/a?page=2": {"data": {"items": [{"text": "c"}]}, "next": None},
    }
    with serving(api(pages)) as server:
        path = fetch_records(server.url("/a"), folder, limits(), Paging(records="data.items", next_page="next"))
    assert records(path) == [{"text": "你好"}, {"text": "b\n"}, {"text": "c"}]


def test_pages_by_the_link_header_are_read(folder: Path) -> None:
    def answer(path: str) -> Iterable[bytes]:
        link = {"link": '</b>; rel="next"'} if path == "/a" else {}
        return response(b'[{"text": "a"}]', **link)

    with serving(answer) as server:
        assert len(records(fetch_records(server.url("/a"), folder, limits(), Paging(records=".")))) == 2


@pytest.mark.parametrize("following", ["http://10.0.0.1/", "file:///etc/passwd", "http://localhost/", "//[::1]/"])
def test_a_next_page_inside_is_refused(folder: Path, following: str) -> None:
    with serving(api({"/a": {"items": [], "next": following}})) as server, pytest.raises(DataError, match="a URL"):
        fetch_records(server.url("/a"), folder, limits(), Paging(records="items", next_page="next"))


@pytest.mark.parametrize(
    ("pages", "said"),
    [
        ({"/a": {"items": [], "next": "/a"}}, "in a circle"),
        ({"/a": {"items": [], "next": "/b"}, "/b": {"items": [], "next": "/c"}, "/c": {"items": []}}, "more than max_pages"),
        ({"/a": {"rows": [], "total": 0}}, "no list of records at 'items'; its body has 'rows', 'total'"),
        ({"/a": {"items": {"a": 1}}}, "no list of records"),
        ({"/a": [1]}, "no list of records"),
        ({"/a": {"items": [], "next": 7}}, "no URL at 'next' but '7'"),
    ],
)  # fmt: skip
def test_pages_that_are_wrong_are_refused(folder: Path, pages: dict[str, object], said: str) -> None:
    paging = Paging(records="items", next_page="next", max_pages=2)
    with serving(api(pages)) as server, pytest.raises(DataError, match=said):
        fetch_records(server.url("/a"), folder, limits(), paging)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[" * 100_000, b"9" * 10_000, b'{"items": [\xff]}'])
def test_a_page_that_is_no_json_is_refused(folder: Path, body: bytes) -> None:
    with serving(lambda _: response(body)) as server, pytest.raises(DataError, match="no JSON that can be read"):
        fetch_records(server.url(), folder, limits(), Paging(records="items"))


def test_all_pages_together_stay_within_the_size(folder: Path) -> None:
    def answer(path: str) -> Iterable[bytes]:
        return response(json.dumps({"items": ["x" * 500], "next": path + "a"}).encode())

    with serving(answer) as server, pytest.raises(DataError, match="may have"):
        fetch_records(server.url(), folder, limits(max_bytes=5_000), Paging(records="items", next_page="next"))
    assert len(server.requests) <= 11
