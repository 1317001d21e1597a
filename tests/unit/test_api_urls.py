"""URLs from the API: they name the bucket's own region, and never another host."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from functions.api.uploads import Multipart, Uploads

UPLOAD = Multipart("uploads/a-1/über.mp4", "upload", 20 << 20)


@pytest.mark.parametrize(
    ("region", "endpoint", "host", "path"),
    [
        ("eu-west-1", None, "films.s3.eu-west-1.amazonaws.com", "/uploads/a-1/%C3%BCber.mp4"),
        ("eu-south-2", None, "films.s3.eu-south-2.amazonaws.com", "/uploads/a-1/%C3%BCber.mp4"),
        ("eu-west-1", "http://127.0.0.1:1", "127.0.0.1:1", "/films/uploads/a-1/%C3%BCber.mp4"),
    ],
)
def test_urls_are_of_the_region(
    monkeypatch: pytest.MonkeyPatch, region: str, endpoint: str | None, host: str, path: str
) -> None:
    """If this fails, uploads work in us-east-1 only: elsewhere S3 answers with a redirect."""
    monkeypatch.setenv("AWS_REGION", region)
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    if endpoint is not None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    uploads = Uploads("films")
    monkeypatch.setattr(uploads, "_received", lambda _: [])
    told = uploads.describe(UPLOAD)
    assert told is not None
    assert [part.size for part in told.parts] == [8 << 20, 8 << 20, 4 << 20]
    for url in (*(part.url for part in told.parts), told.complete_url):
        where = urlsplit(url)
        assert (where.netloc, where.path) == (host, path)
        assert f"%2F{region}%2Fs3%2F" in where.query
        assert "X-Amz-Signature=" in where.query
