"""Damaged files of every format end in one clear line or in numbers; ``benchmarks/fuzzing.py`` tries many more."""

import importlib.util

from tests.conftest import ROOT


def test_damaged_files_of_every_format_never_crash() -> None:
    spec = importlib.util.spec_from_file_location("fuzzing", ROOT / "benchmarks" / "fuzzing.py")
    assert spec is not None
    assert spec.loader is not None
    fuzzing = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fuzzing)
    counts = fuzzing.fuzz(24, 3)
    assert sum(counts.values()) == 24
    assert counts.keys() <= {"refused", "right", "other"}, counts
    assert counts["refused"] > 12
    counts = fuzzing.fuzz_odd(20, 3) + fuzzing.fuzz_schemas(80, 3)
    assert counts.keys() <= set(fuzzing.GOOD), counts
    assert min(counts["schema refused"], counts["read"]) > 10
