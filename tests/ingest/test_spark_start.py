"""What is said when Spark cannot start; none of it needs Spark but the last."""

import subprocess
import sys

import pytest
from spark_cluster import Cluster, need_spark

from endcap.ingest.compute import cluster, spark
from endcap.ingest.compute.spark import SparkCompute
from endcap.schema.errors import SettingsError, StoreError


@pytest.mark.parametrize(
    ("url", "known"),
    [
        *(
            ("local", True),
            ("local[2]", True),
            ("local[*]", True),
            ("local-cluster[2,1,1024]", True),
        ),
        *(("spark://10.0.0.5:7077", True), ("spark://[::1]:7077", True), ("local://", False)),
        *(("spark://host", False), ("local[x]", False), ("yarn", False), ("", False)),
    ],
)
def test_a_master_has_one_of_three_forms(url, known):
    assert cluster.is_spark_master(url) is known


def test_packages_that_are_missing_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(spark, "find_spec", lambda name: None if name == "sqlglot" else object())
    with pytest.raises(StoreError, match=r"not installed: sqlglot .*pip install 'endcap\[spark\]'"):
        SparkCompute("local[2]", scratch=tmp_path)


def java(folder, *, says):
    program = folder / "bin" / "java"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho '{says}' >&2\n")
    program.chmod(0o755)


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        ('openjdk version "11.0.2" 2019-01-15', "Java 11 is too old"),
        ('java version "1.8.0_292"', "Java 8 is too old"),
        ("no such thing", "Java is missing"),
        (None, "Java is missing"),
    ],
)
def test_a_java_that_is_missing_or_too_old_is_said(tmp_path, monkeypatch, says, reason):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    if says is not None:
        java(tmp_path, says=says)
    with pytest.raises(StoreError, match=reason):
        cluster._check_java("local[2]")


def test_a_newer_java_will_do(tmp_path, monkeypatch):
    java(tmp_path, says='openjdk version "21" 2023-09-19')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    cluster._check_java("local[2]")


def test_no_java_on_the_path_is_said(tmp_path, monkeypatch):
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StoreError, match="Java is missing"):
        cluster._check_java("local[2]")


def test_a_master_nobody_listens_at_is_said_at_once():
    with pytest.raises(StoreError, match="cannot be reached"):
        cluster._check_reachable("spark://127.0.0.1:1", "127.0.0.1", 1)


def test_what_is_no_master_is_said_before_anything_starts(tmp_path):
    with (
        pytest.raises(SettingsError, match="no Spark master"),
        cluster.spark_session("yarn", scratch=tmp_path, memory_gb=1),
    ):
        pass


ALONE = """
import sys
from pathlib import Path
from endcap.ingest.compute import cluster
from endcap.schema.errors import StoreError
cluster.PATIENCE_S = 3.0
try:
    with cluster.spark_session(sys.argv[1], scratch=Path(sys.argv[2]), memory_gb=0.5):
        print("started")
except StoreError as error:
    print(error)
"""


@pytest.mark.spark
@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_master_without_workers_is_not_waited_for(tmp_path):
    need_spark()
    alone = Cluster(n_workers=0)
    try:
        done = subprocess.run(
            [sys.executable, "-c", ALONE, alone.url, str(tmp_path)],
            capture_output=True,
            text=True,
            check=True,
            timeout=100,
        )
    finally:
        alone.stop()
    assert "no worker of the Spark master was free within 3 s" in done.stdout
    assert done.stderr == ""
