"""Bringing objects to disk: one, or all below a prefix, bounded, under names that stay in the folder."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pytest

from modelmint.core.errors import DataError, InputError, UnavailableError
from modelmint.data.sources.remote import fetch, fingerprint

Bucket = Callable[..., str]


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    """``bucket({"a.csv": b"..."})``: the URL of a store in memory that holds these objects."""
    name = f"bucket-{uuid.uuid4().hex}"
    memory = fsspec.filesystem("memory")

    def make(objects: dict[str, bytes]) -> str:
        for key, data in objects.items():
            memory.pipe_file(f"/{name}/{key}", data)
        return f"memory://{name}"

    yield make
    memory.rm(f"/{name}", recursive=True)


def test_one_object_is_a_file(bucket: Bucket, tmp_path: Path) -> None:
    path = fetch(bucket({"a.csv": b"text,label\n"}) + "/a.csv", tmp_path)
    assert (path.name, path.read_bytes()) == ("a.csv", b"text,label\n")


def test_a_prefix_is_a_folder(bucket: Bucket, tmp_path: Path) -> None:
    path = fetch(bucket({"set/train.csv": b"1", "set/deep/er/test.csv": b"2", "other.csv": b"3"}) + "/set", tmp_path)
    assert {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*.csv")} == {
        "train.csv": b"1",
        "deep/er/test.csv": b"2",
    }


def test_nothing_there_is_told(bucket: Bucket, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing is at memory://"):
        fetch(bucket({"a": b""}) + "/b", tmp_path)


def test_more_bytes_than_allowed_are_not_brought(bucket: Bucket, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="may hold 9 bytes and holds 10"):
        fetch(bucket({"a": bytes(5), "b": bytes(5)}), tmp_path, max_bytes=9)
    assert not list(tmp_path.rglob("*"))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/a.csv",
        "file:///etc/passwd",
        "github://owner:repository@/a",
        "simplecache::s3://bucket/a",
        "zip://a.csv::s3://bucket/b.zip",
        "s3://key:hunter2@bucket/a",
        "s3://bucket/a?versionId=1",
        "reference://bucket",
        "s3:bucket",
    ],
)
def test_another_scheme_or_a_secret_in_the_url_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(InputError, match="its scheme is") as caught:
        fetch(url, tmp_path)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("key", ["set/../../evil", "set/./a", "set/a\\b", "set//double"])
def test_a_key_that_is_no_path_is_refused(tmp_path: Path, key: str) -> None:
    from modelmint.data.sources.remote import local_name

    with pytest.raises(DataError, match="is no path in a folder"):
        local_name(key, "set", "s3://bucket/set")


def test_the_fingerprint_changes_with_an_object(bucket: Bucket) -> None:
    url = bucket({"a": b"1"})
    before = fingerprint(url)
    assert fingerprint(url) == before
    bucket({"a": b"22"})
    assert fingerprint(url) != before


@pytest.mark.skipif(__import__("importlib.util").util.find_spec("gcsfs") is not None, reason="gcsfs is installed")
def test_a_missing_library_names_its_extra(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"modelmint\[gcs\]"):
        fetch("gs://bucket/a", tmp_path)


@pytest.fixture(scope="module")
def s3() -> Iterator[None]:
    """A server on loopback that speaks S3, with the bucket `data`."""
    pytest.importorskip("s3fs")
    moto = pytest.importorskip("moto.server")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as environ:
        environ.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        environ.setenv("AWS_ACCESS_KEY_ID", "id")
        environ.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
        environ.setenv("AWS_DEFAULT_REGION", "us-east-1")
        fsspec.filesystem("s3").mkdir("data")
        yield
    server.stop()


def test_objects_come_from_s3(s3: None, tmp_path: Path) -> None:
    store = fsspec.filesystem("s3")
    store.pipe_file("data/set/train.csv", b"text,label\n" * 100_000)
    store.pipe_file("data/set/test.csv", b"x")
    path = fetch("s3://data/set/", tmp_path)
    assert {file.name: file.stat().st_size for file in path.iterdir()} == {"train.csv": 1_100_000, "test.csv": 1}


def test_a_new_version_in_s3_changes_the_fingerprint(s3: None) -> None:
    store = fsspec.filesystem("s3")
    store.pipe_file("data/b.csv", b"1")
    before = fingerprint("s3://data/b.csv")
    store.pipe_file("data/b.csv", b"2")
    assert fingerprint("s3://data/b.csv") != before


def test_a_bucket_that_is_not_there_is_told(s3: None, tmp_path: Path) -> None:
    with pytest.raises((DataError, UnavailableError)):
        fetch("s3://nope/a.csv", tmp_path)
