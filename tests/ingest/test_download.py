from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import URLError

import pytest

from endcap.ingest.download import MAX_FRUITLESS, _web_only, download
from endcap.schema.errors import DownloadError

CONTENT = bytes(range(256)) * 4096  # one mebibyte
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Shop:
    """A file server whose manners can be spoilt."""

    content: bytes = CONTENT
    etag: str = '"one"'
    cuts: list[int] = field(default_factory=list)  # bytes after which each next answer breaks off
    statuses: list[int] = field(default_factory=list)  # sent before anything else
    extra_length: int = 0
    says_length: bool = True
    knows_ranges: bool = True
    ranges: list[str | None] = field(default_factory=list)
    url: str = ""


class Handler(BaseHTTPRequestHandler):
    shop: Shop

    def do_GET(self) -> None:
        shop = self.shop
        asked = self.headers.get("Range")
        shop.ranges.append(asked)
        if shop.statuses:
            self.send_error(shop.statuses.pop(0))
            return
        start = 0
        if asked and shop.knows_ranges and self.headers.get("If-Range", shop.etag) == shop.etag:
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])  # type: ignore[index]
        if start >= len(shop.content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(shop.content) + shop.extra_length}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = shop.content[start:]
        self.send_response(206 if start else 200)
        if start:
            end = f"{len(shop.content) - 1}/{len(shop.content)}"
            self.send_header("Content-Range", f"bytes {start}-{end}")
        if shop.says_length:
            self.send_header("Content-Length", str(len(body) + shop.extra_length))
        self.send_header("ETag", shop.etag)
        self.end_headers()
        self.wfile.write(body[: shop.cuts.pop(0)] if shop.cuts else body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    handler = type("ShopHandler", (Handler,), {"shop": shop})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        shop.url = f"http://127.0.0.1:{server.server_port}/data/set.json.gz"
        yield shop
        server.shutdown()
        thread.join()


@pytest.fixture
def naps() -> list[float]:
    return []


def fetch(shop: Shop, folder: Path, naps: list[float], *, sha256: str | None = None) -> Path:
    return download([shop.url], folder, name="toy", sha256=sha256, sleep=naps.append)


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_file_is_fetched_once(shop: Shop, tmp_path: Path, naps: list[float]) -> None:
    path = fetch(shop, tmp_path, naps, sha256=SHA256)
    assert path == tmp_path / "toy" / "set.json.gz"
    assert path.read_bytes() == CONTENT
    assert files_in(tmp_path) == ["set.json.gz"]
    assert fetch(shop, tmp_path, naps) == path
    assert shop.ranges == [None]


def test_a_cut_connection_goes_on_from_where_it_was(
    shop: Shop, tmp_path: Path, naps: list[float]
) -> None:
    shop.cuts = [300_000, 200_000]
    assert fetch(shop, tmp_path, naps).read_bytes() == CONTENT
    assert shop.ranges == [None, "bytes=300000-", "bytes=500000-"]
    assert naps == [1.0, 1.0]


def test_another_process_goes_on_too(shop: Shop, tmp_path: Path, naps: list[float]) -> None:
    def give_up(delay_s: float) -> None:
        raise KeyboardInterrupt

    shop.cuts = [400_000]
    with pytest.raises(KeyboardInterrupt):
        download([shop.url], tmp_path, name="toy", sleep=give_up)
    assert files_in(tmp_path) == ["set.json.gz.part", "set.json.gz.part.tag"]
    assert fetch(shop, tmp_path, naps).read_bytes() == CONTENT
    assert shop.ranges[-1] == "bytes=400000-"


def test_a_changed_file_starts_from_the_beginning(
    shop: Shop, tmp_path: Path, naps: list[float]
) -> None:
    shop.cuts = [400_000]
    with pytest.raises(ZeroDivisionError):
        download([shop.url], tmp_path, name="toy", sleep=lambda s: 1 // 0)
    shop.content, shop.etag = CONTENT[::-1], '"two"'
    assert fetch(shop, tmp_path, naps).read_bytes() == CONTENT[::-1]


def test_a_server_without_ranges_starts_from_the_beginning(
    shop: Shop, tmp_path: Path, naps: list[float]
) -> None:
    shop.cuts, shop.knows_ranges = [400_000], False
    assert fetch(shop, tmp_path, naps).read_bytes() == CONTENT


def test_a_part_that_was_already_whole_is_taken(
    shop: Shop, tmp_path: Path, naps: list[float]
) -> None:
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "set.json.gz.part").write_bytes(CONTENT)
    assert fetch(shop, tmp_path, naps).read_bytes() == CONTENT
    assert shop.ranges == [f"bytes={len(CONTENT)}-"]


def test_a_part_that_is_too_long_is_thrown_away(
    shop: Shop, tmp_path: Path, naps: list[float]
) -> None:
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "set.json.gz.part").write_bytes(CONTENT + b"more")
    with pytest.raises(DownloadError, match="could not be fetched"):
        fetch(shop, tmp_path, naps)
    assert fetch(shop, tmp_path, naps).read_bytes() == CONTENT


def test_fewer_bytes_than_announced_are_not_the_file(
    shop: Shop, tmp_path: Path, naps: list[float]
) -> None:
    shop.extra_length = 10
    with pytest.raises(DownloadError):
        fetch(shop, tmp_path, naps)
    assert "set.json.gz" not in files_in(tmp_path)


def test_a_length_that_is_not_said_is_not_missed(
    shop: Shop, tmp_path: Path, naps: list[float]
) -> None:
    shop.says_length = False
    assert fetch(shop, tmp_path, naps).read_bytes() == CONTENT


def test_the_wrong_content_is_not_the_file(shop: Shop, tmp_path: Path, naps: list[float]) -> None:
    shop.content = CONTENT[:-1] + b"x"
    with pytest.raises(DownloadError) as caught:
        fetch(shop, tmp_path, naps, sha256=SHA256)
    assert "its sha256 is" in caught.value.where
    assert not {"set.json.gz", "set.json.gz.part"} & {*files_in(tmp_path)}


def test_a_publisher_may_know_only_md5(shop: Shop, tmp_path: Path, naps: list[float]) -> None:
    md5 = hashlib.md5(CONTENT).hexdigest()
    wrong = "0" * 32
    with pytest.raises(DownloadError) as caught:
        download([shop.url], tmp_path, name="toy", md5=wrong, sleep=naps.append)
    assert f"its md5 is {md5[:12]}..., not 000000000000..." in caught.value.where
    path = download([shop.url], tmp_path, name="toy", md5=md5, sleep=naps.append)
    assert path.read_bytes() == CONTENT


def test_no_room_is_noticed_before_anything_is_fetched(
    shop: Shop, tmp_path: Path, naps: list[float]
) -> None:
    with pytest.raises(DownloadError, match=r"still needs [0-9,]+ bytes, and .* are free"):
        download([shop.url], tmp_path, name="toy", n_bytes=10**24, sleep=naps.append)
    assert shop.ranges == []
    (tmp_path / "toy" / "set.json.gz").write_bytes(b"there already")
    assert download([shop.url], tmp_path, name="toy", n_bytes=10**24).is_file()


def test_a_missing_file_is_not_asked_for_twice(
    shop: Shop, tmp_path: Path, naps: list[float]
) -> None:
    shop.statuses = [404]
    with pytest.raises(DownloadError) as caught:
        fetch(shop, tmp_path, naps)
    assert shop.url in caught.value.where
    assert "HTTP 404" in caught.value.where
    assert caught.value.mend == "Download it yourself and run make demo DATA=/path/to/file"
    assert len(shop.ranges) == 1
    assert caught.value.exit_code == 4


def test_a_busy_server_is_asked_again_less_and_less_often(
    shop: Shop, tmp_path: Path, naps: list[float]
) -> None:
    shop.statuses = [503, 429]
    assert fetch(shop, tmp_path, naps).read_bytes() == CONTENT
    assert naps == [2.0, 4.0]


def test_a_refused_connection_names_every_address_tried(
    shop: Shop, tmp_path: Path, naps: list[float]
) -> None:
    shop.statuses = [403]
    closed = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    closed.server_close()
    nowhere = f"http://127.0.0.1:{closed.server_port}/set.json.gz"
    with pytest.raises(DownloadError) as caught:
        download([nowhere, shop.url], tmp_path, name="toy", sleep=naps.append)
    assert nowhere in caught.value.where
    assert "refused" in caught.value.where
    assert "HTTP 403" in caught.value.where
    assert len(naps) == MAX_FRUITLESS - 1


def test_the_second_address_serves_when_the_first_does_not(
    shop: Shop, tmp_path: Path, naps: list[float]
) -> None:
    missing = shop.url.replace("/data/", "/old/")
    shop.statuses = [410]
    path = download([missing, shop.url], tmp_path, name="toy", sleep=naps.append)
    assert path.read_bytes() == CONTENT


def test_only_the_web_is_read(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="could not be fetched") as caught:
        download(["file:///etc/hostname"], tmp_path, name="toy")
    assert "not an http or https address" in caught.value.where


def test_a_folder_that_cannot_be_written_is_named(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "set.json.gz.part").mkdir()
    shop.content = b"small"
    with pytest.raises(DownloadError, match="cannot be written"):
        download([shop.url], tmp_path, name="toy")


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/file", "data:,text"])
def test_the_opener_knows_nothing_but_the_web(url: str) -> None:
    with pytest.raises(URLError, match="unknown url type"):
        _web_only().open(url)
