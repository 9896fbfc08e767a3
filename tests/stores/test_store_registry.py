"""From URL to back end: ours, other people's, and what is said when there is none."""

import sys
from importlib.metadata import EntryPoint

import pytest

from endcap.schema.errors import StoreError
from endcap.stores import registry
from endcap.stores.registry import BACK_ENDS, open_cache, open_events, open_store, schemes

OPENERS = {"rows": open_store, "events": open_events, "cache": open_cache}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Return a function that writes an importable module."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name, text):
        monkeypatch.delitem(sys.modules, name, raising=False)
        (tmp_path / f"{name}.py").write_text(text)

    yield write
    for path in tmp_path.glob("*.py"):
        sys.modules.pop(path.stem, None)


def announce(monkeypatch, *points):
    def entry_points(*, group):
        return [point for point in points if point.group == group]

    monkeypatch.setattr(registry, "entry_points", entry_points)


@pytest.mark.parametrize(
    ("kind", "scheme"), [(kind, scheme) for kind in BACK_ENDS for scheme in BACK_ENDS[kind]]
)
async def test_every_listed_back_end_opens(kind, scheme, tmp_path):
    url = "memory://" if scheme == "memory" else f"{scheme}:///{tmp_path}/new/{kind}.db"
    back_end = OPENERS[kind](url)
    try:
        assert type(back_end).__module__ == f"endcap.stores.{kind}.{scheme}"
    finally:
        await back_end.close()


def test_opening_imports_only_what_is_asked_for(monkeypatch):
    for module in ("endcap.stores.rows.sqlite", "endcap.stores.rows.memory"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    open_store("memory://")
    assert "endcap.stores.rows.memory" in sys.modules
    assert "endcap.stores.rows.sqlite" not in sys.modules


@pytest.mark.parametrize(
    ("opener", "kind", "known"),
    [
        (open_store, "rows", "memory, sqlite"),
        (open_events, "events", "memory, sqlite"),
        (open_cache, "cache", "memory"),
    ],
)
def test_an_unknown_scheme_lists_the_known_ones(opener, kind, known):
    with pytest.raises(StoreError) as caught:
        opener("oracle://user:secret@host/x")
    assert str(caught.value) == (
        f"unknown scheme 'oracle' for {kind} (oracle://user:***@host/x). Known: {known}"
    )


def test_a_missing_client_says_what_to_install(package, monkeypatch):
    package("fake_redis", "import redis_client_nobody_has.aio\n")
    monkeypatch.setitem(BACK_ENDS["cache"], "redis", ("fake_redis:RedisCache", "redis"))
    with pytest.raises(StoreError) as caught:
        open_cache("redis://user:secret@host")
    text = str(caught.value)
    assert "pip install 'endcap[redis]'" in text
    assert "redis_client_nobody_has" in text
    assert "secret" not in text


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("from endcap.schema.errors import NoSuchName\n", ImportError),
        ("import endcap.schema.no_such_module\n", ModuleNotFoundError),
        ("import own_no_such_module\n", ModuleNotFoundError),
        ("from json import NameOfANewerRelease\n", ImportError),
    ],
)
def test_another_import_error_is_not_taken_for_a_missing_client(code, error, package, monkeypatch):
    package("own", code)
    target = ("own:RedisCache", None if "own_no" in code else "redis")
    monkeypatch.setitem(BACK_ENDS["cache"], "redis", target)
    with pytest.raises(error):
        open_cache("redis://host")


def test_a_module_of_ours_that_is_missing_is_no_client(monkeypatch):
    monkeypatch.setitem(BACK_ENDS["cache"], "redis", ("endcap.stores.cache.gone:Gone", "redis"))
    with pytest.raises(ModuleNotFoundError, match=r"endcap\.stores\.cache\.gone"):
        open_cache("redis://host")


def test_a_third_party_back_end_opens_by_its_scheme(package, monkeypatch):
    package(
        "their_rows",
        "class Rows:\n"
        "    @classmethod\n"
        "    def from_url(cls, url):\n"
        "        rows = cls()\n"
        "        rows.url = url\n"
        "        return rows\n",
    )
    announce(monkeypatch, EntryPoint("mongo", "their_rows:Rows", "endcap.rows"))
    assert open_store("mongo://host/shop").url == "mongo://host/shop"
    assert schemes("rows") == ["memory", "mongo", "sqlite"]
    with pytest.raises(StoreError, match="Known: memory, mongo, sqlite"):
        open_store("oracle://")
    with pytest.raises(StoreError, match="unknown scheme 'mongo' for cache"):
        open_cache("mongo://host/shop")


def test_nobody_can_take_the_place_of_a_built_in(package, monkeypatch):
    package("their_rows", "raise RuntimeError('imported')\n")
    announce(monkeypatch, EntryPoint("memory", "their_rows:Rows", "endcap.rows"))
    assert type(open_store("memory://")).__name__ == "MemoryStore"


def test_two_packages_with_one_scheme_are_a_conflict(monkeypatch):
    announce(
        monkeypatch,
        EntryPoint("mongo", "a:Rows", "endcap.rows"),
        EntryPoint("mongo", "b:Rows", "endcap.rows"),
        EntryPoint("mongo", "b:Rows", "endcap.rows"),
    )
    with pytest.raises(StoreError, match=r"several packages.*\(a:Rows, b:Rows\)"):
        open_store("mongo://host")


def test_a_client_that_blurts_out_the_password_is_hushed(package, monkeypatch):
    package(
        "blurting",
        "class Cache:\n"
        "    @classmethod\n"
        "    def from_url(cls, url):\n"
        "        raise ValueError('cannot reach ' + url)\n",
    )
    announce(monkeypatch, EntryPoint("redis", "blurting:Cache", "endcap.cache"))
    with pytest.raises(StoreError, match=r"cannot reach redis://u:\*\*\*@host") as caught:
        open_cache("redis://u:s3cr3t@host")
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    with pytest.raises(ValueError, match="cannot reach"):
        open_cache("redis://host")
