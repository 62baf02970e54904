"""The same input in a bucket. S3 is a local server; the others only as far as a URL tells."""

import gzip
import socket

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from s3_server import AWS, emptied

from pipeline.documents.sources.filesystems import place
from pipeline.documents.sources.source import Source
from pipeline.errors import JobError
from pipeline.job.settings import Input

LINE = b'{"text":"t"}\n'


def source(path, **columns):
    return Source(Input(path=path, **columns), (), None)


def texts_of(found):
    return [row.text for batch in found.batches() for row in batch]


@pytest.fixture(autouse=True)
def aws(monkeypatch):
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in AWS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def put(s3, monkeypatch):
    """Puts objects into the bucket `data`, emptied for each test."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3)
    client = emptied(s3, "data")

    def one(key, body=LINE):
        client.put_object(Bucket="data", Key=key, Body=body)

    yield one
    client.close()


def test_a_file_a_prefix_a_bucket_and_a_glob(put):
    """The rules of folders hold for keys, odd characters and all."""
    for key in (
        "in/b.jsonl",
        "in/a b+%20?#.jsonl",
        "in/deep/c.ndjson",
        "in/_tmp/d.jsonl",
        "in/.e.jsonl",
        "in/f.txt",
        "z.jsonl",
    ):
        put(key)
    put("in/deep/", b"")
    inside = ["s3://data/in/a b+%20?#.jsonl", "s3://data/in/b.jsonl", "s3://data/in/deep/c.ndjson"]
    for path, found in (
        ("s3://data/in/b.jsonl", ["s3://data/in/b.jsonl"]),
        ("s3://data/in/a b+%20?#.jsonl", inside[:1]),
        ("s3://data/in", inside),
        ("s3://data/in/", inside),
        ("s3://data", [*inside, "s3://data/z.jsonl"]),
        ("s3://data/in/*.jsonl", inside[:2]),
        ("s3://data/**/c.*", inside[2:]),
        ("s3://data/i*/[bz].jsonl", inside[1:2]),
    ):
        assert list(source(path).files) == found, path
        assert source(path).count_rows() == len(found)


def test_lines_and_parquet_are_read_as_on_a_disk(put, tmp_path):
    """Compressed or not; kept columns, counts and fingerprints too."""
    put("in/a.jsonl.gz", gzip.compress(b'{"text":"one","k":1}\n'))
    put("in/b.jsonl", b'\xef\xbb\xbf{"text":"two","k":2}')
    put("in/c.ndjson.zst", pa.compress(b'{"text":"three"}\n', codec="zstd", asbytes=True))
    pq.write_table(pa.table({"text": ["four", "five"], "k": [4, 5]}), tmp_path / "d.parquet", row_group_size=1)
    put("in/d.parquet", (tmp_path / "d.parquet").read_bytes())
    found = source("s3://data/in", keep=("k",))
    found.check()
    before = found.fingerprint()
    assert found.count_rows() == 5
    assert texts_of(found) == ["one", "two", "three", "four", "five"]
    assert pa.Table.from_batches(found.kept(), found.kept_schema(None)).column("k").to_pylist() == [1, 2, None, 4, 5]
    alone = source("s3://data/in/d.parquet", keep=("k",))
    assert pa.Table.from_batches(alone.kept()).column("k").to_pylist() == [4, 5]
    assert source("s3://data/in").fingerprint() == before
    put("in/b.jsonl", b'\xef\xbb\xbf{"text":"tWo","k":2}')
    assert source("s3://data/in").fingerprint() != before


def test_a_damaged_object_is_an_error(put):
    """Never a short success."""
    packed = gzip.compress(LINE * 9)
    put("a.jsonl.gz", packed[:-5])
    with pytest.raises(JobError, match=r"s3://data/a\.jsonl\.gz: cannot be read past row \d+ "):
        texts_of(source("s3://data/a.jsonl.gz"))
    put("b.parquet", b"PAR1 and no more")
    with pytest.raises(JobError, match=r"s3://data/b\.parquet: is not a whole Parquet file"):
        source("s3://data/b.parquet").check()


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("s3://nowhere/in.jsonl", "'s3://nowhere/in.jsonl': there is nothing"),
        ("s3://nowhere", "there is nothing"),
        ("s3://nowhere/*.jsonl", "there is no file that ends in|cannot be listed"),
        ("s3://data/in/b.jsn", r"Did you mean 's3://data/in/b\.jsonl'\?"),
        ("s3://data/in/*.csv", "there is no file that ends in"),
        ("s3://", "names no bucket"),
        ("s3://KEY:SECRET@data/in", r"s3://\.\.\.': credentials in a URL are not read"),
    ],
)
def test_no_input_is_an_error_that_helps(put, path, told):
    """A bucket or key that is not there is a mistake of the job."""
    put("in/b.jsonl")
    with pytest.raises(JobError, match=told) as error:
        source(path).check()
    assert "SECRET" not in str(error.value)


def test_a_server_that_does_not_answer_is_an_error(monkeypatch):
    """With the URL."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(JobError, match=r"s3://data/in: cannot be listed: "):
            source("s3://data/in").check()


def test_urls_of_the_other_clouds(monkeypatch):
    """They name a client, a path inside it, and come back as they were written."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:1")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "bm90aGluZw==")
    for url, client, path in (
        ("gs://bucket/a/b.jsonl", "gcs", "bucket/a/b.jsonl"),
        ("az://container/a/", "abfs", "container/a"),
        ("abfss://container@other.dfs.core.windows.net/a/*.parquet", "abfs", "container/a/*.parquet"),
    ):
        found = place(url)
        assert (found.fs.type_name, found.path, found.url(found.path)) == (client, path, url.rstrip("/"))


def test_an_azure_url_that_names_no_account_is_an_error(monkeypatch):
    """The account is in the URL or in the environment."""
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT", raising=False)
    with pytest.raises(JobError, match="AZURE_STORAGE_ACCOUNT_NAME"):
        place("az://container/a")
    with pytest.raises(JobError, match="CONTAINER@ACCOUNT"):
        place("abfss://container/a")
