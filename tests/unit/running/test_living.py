"""Who lives in a folder is told from who was killed there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jetlens.files import atomic_path, read_json, unfinished, write_json
from jetlens.running import living

REGISTER = """
import sys, time
from pathlib import Path
from jetlens.running.living import register
register(Path(sys.argv[1]))
print("registered", flush=True)
if len(sys.argv) > 2:
    time.sleep(600)
"""


@pytest.fixture
def another(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that is registered in the folder, and holds a lock there."""
    command = [sys.executable, "-c", REGISTER, str(tmp_path), "stay"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "registered"
    (tmp_path / living.LOCKS).mkdir()
    (tmp_path / living.LOCKS / "0.output.lock").write_text("results/a\n")
    yield process
    process.kill()
    process.wait()


def locks(folder: Path) -> list[str]:
    return [path.name for path in (folder / living.LOCKS).iterdir()]


def test_a_killed_run_is_cleared(another: subprocess.Popen[str], tmp_path: Path) -> None:
    results = tmp_path / "results"
    with atomic_path(results / "table.csv") as being_written:
        assert unfinished(results) == [being_written]
        being_written.rename(being_written.with_name(being_written.name + ".kept"))
        being_written.touch()
    assert unfinished(results)
    another.kill()
    another.wait()
    killed = living.recover(tmp_path, results)
    assert killed is not None
    assert killed.pid == another.pid
    assert not locks(tmp_path)
    assert not unfinished(results)
    assert (results / "table.csv").is_file()
    assert living.recover(tmp_path, results) is None


def test_who_lives_is_left_alone(another: subprocess.Popen[str], tmp_path: Path) -> None:
    assert living.recover(tmp_path, tmp_path) is None
    assert locks(tmp_path) == ["0.output.lock"]
    message = living.in_the_way(tmp_path)
    assert message is not None
    assert message.endswith(f"end it: kill {another.pid}")


def test_a_process_of_another_host_is_taken_to_live(another: subprocess.Popen[str], tmp_path: Path) -> None:
    another.kill()
    another.wait()
    (record,) = living.others(tmp_path)
    content = read_json(record.file)
    content["machine"]["host"] = "elsewhere"
    write_json(record.file, content)
    assert living.recover(tmp_path, tmp_path) is None
    assert locks(tmp_path) == ["0.output.lock"]
    message = living.in_the_way(tmp_path)
    assert message is not None
    assert f"process {another.pid} on elsewhere" in message
    assert ".snakemake/jetlens/" in message


def test_a_process_id_that_is_used_again_is_not_the_one(
    another: subprocess.Popen[str], tmp_path: Path
) -> None:
    (record,) = living.others(tmp_path)
    assert record.lives
    write_json(record.file, read_json(record.file) | {"started": record.started - 100.0})
    (record,) = living.others(tmp_path)
    assert not record.lives


def test_before_the_last_start_of_the_host_nobody_lives(
    another: subprocess.Popen[str], tmp_path: Path
) -> None:
    (record,) = living.others(tmp_path)
    content = read_json(record.file)
    content["machine"]["boot"] = "an earlier one"
    write_json(record.file, content)
    (record,) = living.others(tmp_path)
    assert not record.lives


def test_the_record_of_who_ends_is_removed(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", REGISTER, str(tmp_path)], check=True, stdout=subprocess.DEVNULL)
    assert not living.others(tmp_path)
