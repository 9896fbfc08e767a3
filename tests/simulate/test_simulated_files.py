"""Same spec, same bytes; packed as named; whole or not at all; in constant memory."""

import gzip
import subprocess
import sys
import tracemalloc
from dataclasses import replace

import pytest

from endcap.schema.errors import SettingsError
from endcap.simulate import files
from endcap.simulate.events import SimulatedEvents
from endcap.simulate.files import whole_file
from endcap.simulate.shop_logs import PlainCsv
from endcap.simulate.spec import EventSpec, Format
from endcap.simulate.write import write_events

SPEC = EventSpec(n_users=300, n_items=160, n_events=6000, duplicates=0.01, bots=0.05)
MIB = 2**20


def read_zstd(path):
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd.decompress(path.read_bytes())


def written(path, spec, **options):
    write_events(spec, path, **options)
    return path.read_bytes()


@pytest.mark.parametrize("form", list(Format))
@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
def test_bytes_depend_on_the_spec_alone(tmp_path, form, ending, monkeypatch):
    monkeypatch.setattr(files, "PACKED_AT_ONCE_BYTES", 50_000)
    spec = replace(SPEC, format=form)
    first = written(tmp_path / f"a{ending}", spec)
    assert written(tmp_path / f"b{ending}", spec, lines_at_once=77) == first
    assert written(tmp_path / f"c{ending}", replace(spec, seed=7)) != first


def test_packed_files_hold_the_plain_bytes(tmp_path):
    plain = written(tmp_path / "x.csv", SPEC)
    assert gzip.decompress(written(tmp_path / "x.csv.gz", SPEC)) == plain
    write_events(SPEC, tmp_path / "x.csv.zst")
    assert read_zstd(tmp_path / "x.csv.zst") == plain


def test_a_gzip_file_tells_no_time_and_no_name(tmp_path):
    head = written(tmp_path / "x.csv.gz", SPEC)[:10]
    flags, mtime = head[3], head[4:8]
    assert (flags, mtime) == (0, bytes(4))


def test_the_catalogue_is_the_same_again_and_packed_too(tmp_path):
    for name in ("a", "b"):
        write_events(SPEC, tmp_path / name, items_path=tmp_path / f"{name}.items.gz")
    first = (tmp_path / "a.items.gz").read_bytes()
    assert first == (tmp_path / "b.items.gz").read_bytes()
    assert gzip.decompress(first).count(b"\n") == SPEC.n_items + 1


@pytest.mark.parametrize("end", [KeyboardInterrupt, OSError])
def test_what_ends_early_leaves_no_file_and_the_older_one_as_it_was(tmp_path, monkeypatch, end):
    path, lines = tmp_path / "x.csv.gz", PlainCsv.lines
    path.write_text("older")
    calls = []

    def interrupted(self, block):
        calls.append(len(block))
        if len(calls) == 3:
            raise end
        return lines(self, block)

    monkeypatch.setattr(PlainCsv, "lines", interrupted)
    with pytest.raises(end):
        write_events(SPEC, path, lines_at_once=100)
    assert [found.name for found in tmp_path.iterdir()] == ["x.csv.gz"]
    assert path.read_text() == "older"


def test_the_file_has_its_name_only_when_it_is_whole(tmp_path):
    with whole_file(tmp_path / "x") as sink:
        sink.write(b"a")
        assert not (tmp_path / "x").exists()
    assert (tmp_path / "x").read_bytes() == b"a"


def test_a_folder_and_twice_the_same_file_are_refused(tmp_path):
    with pytest.raises(SettingsError, match="is a folder"):
        write_events(SPEC, tmp_path)
    with pytest.raises(SettingsError, match="same file"):
        write_events(SPEC, tmp_path / "x", items_path=tmp_path / "y" / ".." / "x")


@pytest.mark.parametrize(("ending", "package"), [(".gz", "isal"), (".zst", "backports")])
def test_a_missing_packer_is_told_with_what_brings_it(tmp_path, monkeypatch, ending, package):
    if ending == ".zst" and sys.version_info >= (3, 14):
        pytest.skip("the standard library has zstd")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SettingsError, match=r"pip install 'endcap\[train\]'"):
        write_events(SPEC, tmp_path / f"x{ending}")
    assert list(tmp_path.iterdir()) == []


def peak_bytes(work):
    """Return the most memory that Python and NumPy held at once during the work."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.parametrize("form", [Format.CSV, Format.AMAZON_2014])
def test_ten_times_the_events_take_hardly_more_memory(tmp_path, form):
    spec = replace(SPEC, n_users=20_000, n_items=20_000, n_events=200_000, format=form, text=False)
    more = replace(spec, n_events=2_000_000)
    few, many = (peak_bytes(lambda s=s: write_events(s, tmp_path / "x.gz")) for s in (spec, more))
    assert many - few < 50 * MIB


@pytest.mark.slow
def test_a_million_users_and_ten_million_items_take_less_than_a_gigabyte():
    spec = EventSpec(n_users=10**6, n_items=10**7, n_events=2 * 10**7)

    def first_blocks():
        events = iter(SimulatedEvents(spec))
        return [len(next(events)) for _ in range(3)]

    assert peak_bytes(first_blocks) < 2**30


def test_simulating_needs_no_table_engine():
    code = "import sys, endcap.simulate.write; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    loaded = {name.partition(".")[0] for name in result.stdout.split()}
    assert "numpy" in loaded, result.stderr
    assert not loaded & {"duckdb", "pandas", "pyarrow", "scipy", "torch", "isal", "pyspark"}
