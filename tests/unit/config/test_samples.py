"""The sample table: every mistake is named with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from jetlens.config.samples import read_samples
from jetlens.errors import ConfigError
from tests.conftest import ROOT

BACKGROUND = "other\tq\tbackground\tb.root\t1"
HEADER = "sample\tprocess\trole\tfiles\tcross_section_pb\tevents\tmass_GeV"


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    for name in ("a.root", "b.root", "run_01/events.root", "run_02/events.root"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()

    def write(*rows: str, header: str = HEADER) -> Path:
        path = Path("samples.tsv")
        path.write_text("\n".join(["# a comment", header, *rows]) + "\n", encoding="utf-8")
        return path

    return write


def test_the_demo_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    samples = read_samples("config/samples.tsv")
    assert {name: sample.cross_section_pb for name, sample in samples.items()} == {
        "signal_H1000": 0.0020866, "qcd_4b": 7.0099, "qcd_3b": 39.427, "qcd_2b": 2299.4, "qcd_jj": 17271,
        "ttbar_had": 9.683, "ttbar_had_lo": 1.443,
    }  # fmt: skip
    assert samples["signal_H1000"].mass_gev == 1000
    assert [sample.role for sample in samples.values()] == ["signal", *["background"] * 6]
    assert samples["ttbar_had"].process == samples["ttbar_had_lo"].process


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("s\tp\tsignal\ta.root\t-1", "cross_section_pb must be a positive number, found -1"),
        ("s\tp\tsignal\ta.root\tmany", "cross_section_pb must be a number, found 'many'"),
        ("s\tp\tsignal\ta.root\tnan", "cross_section_pb must be a positive number, found nan"),
        ("s\tp\tsignal\ta.root\tinf", "positive number, found inf"),
        ("s\tp\tsgnal\ta.root\t1", "unknown role 'sgnal'; did you mean 'signal'?"),
        ("s\tp\tsignal\tc.root\t1", "file 'c.root' does not exist"),
        ("s\tp\tsignal\t*.parquet\t1", r"no file matches '\*.parquet'"),
        ("s\tp\tsignal\ta.root,a.root\t1", "file 'a.root' is named twice"),
        ("s\tp\tsignal\trun_01\t1", r"'run_01' is a folder; give files, e\.g\. run_01/\*\.root"),
        ("s\tp\tsignal\trun_0?\t1", r"'run_0\?' matches 'run_01', which is a folder; give files"),
        ("s\tp\tsignal\t,\t1", "',' names no file; give files, a pattern"),
        ("s\tp\tsignal\ta.rot\t1", r"'a\.rot' does not exist; did you mean 'a\.root'"),
        ("s\tp\tsignal\tsamples.tsv\t1", r"'samples\.tsv' is no event file by its name"),
        (
            "s\tp\tsignal\t*s*\t1",
            r"'\*s\*' matches 'samples\.tsv', which is no event file by its name; give files",
        ),
        ("s\tp\tsignal\t\t1", "column 'files' is empty"),
        (
            "s\tp\tbackground\ta.root\t1\t\t800",
            "mass_GeV is the hypothesis of a signal or an application, found 800",
        ),
        ("my sample\tp\tsignal\ta.root\t1", "sample name 'my sample' may hold"),
        ("s\tp\tsignal\ta.root\t1\t1\t1\t1", "8 columns found, 7 expected"),
    ],
)
def test_a_bad_line(table, row: str, expected: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError, match=rf"samples\.tsv, line 3: .*{expected}"):
        read_samples(table(row))


def test_a_duplicate_sample(table) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError, match=r"line 4: sample 's' is in the table twice"):
        read_samples(table("s\tp\tsignal\ta.root\t1", "s\tp\tsignal\tb.root\t1"))


def test_all_problems_are_told_at_once(table) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError) as caught:
        read_samples(table("s\tp\tsignal\ta.root\t-1", "t\tp\tsgnal\tb.root\t1"))
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (HEADER.replace("role", "roll"), "unknown column 'roll'; did you mean 'role'?"),
        (HEADER.replace("role\t", ""), "column 'role' is missing"),
        (HEADER.replace("\t", " "), "no tab found"),
        (HEADER.replace("events", "role"), "column 'role' is there twice"),
    ],
)
def test_a_bad_header(table, header: str, expected: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError, match=expected):
        read_samples(table("s\tp\tsignal\ta.root\t1", header=header))


def test_parts_of_equally_named_files_are_told_apart(table) -> None:  # type: ignore[no-untyped-def]
    sample = read_samples(table("s\tp\tsignal\trun_*/events.root\t1", BACKGROUND))["s"]
    assert sample.files == {"run_01_events": "run_01/events.root", "run_02_events": "run_02/events.root"}


def test_ten_thousand_files_from_a_list(table) -> None:  # type: ignore[no-untyped-def]
    urls = [f"root://eos.example//store/{n // 100}/events_{n}.root" for n in range(10_000)]
    Path("list.txt").write_text("\n".join(urls))
    sample = read_samples(table("s\tp\tsignal\t@list.txt\t1", BACKGROUND))["s"]
    assert list(sample.files.values()) == urls
    assert len(sample.files) == 10_000


def test_no_samples_and_no_table(table, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError, match="has no samples"):
        read_samples(table())
    with pytest.raises(ConfigError, match="cannot be read"):
        read_samples(tmp_path / "none.tsv")


@pytest.mark.parametrize(("there", "missing"), [("signal", "background"), ("background", "signal")])
def test_both_classes_are_needed(table, there: str, missing: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError, match=rf"samples\.tsv: no sample has role '{missing}'"):
        read_samples(table(f"s\tp\t{there}\ta.root\t1"))


@pytest.mark.parametrize("again", ["./a.root", "run_01/../a.root", "link.root", "*.root"])
def test_one_file_by_two_names(table, again: str) -> None:  # type: ignore[no-untyped-def]
    Path("link.root").symlink_to("a.root")
    expected = r"samples\.tsv, line 3: file '.*' is named twice, first .*in samples\.tsv, line 3; its events"
    with pytest.raises(ConfigError, match=expected):
        read_samples(table(f"s\tp\tsignal\ta.root,{again}\t1", BACKGROUND))


@pytest.mark.parametrize("file", ["b.root", "./b.root"])
def test_one_file_in_two_samples(table, file: str) -> None:  # type: ignore[no-untyped-def]
    expected = r"line 4: file 'b.root' is named twice, first .*in samples\.tsv, line 3"
    with pytest.raises(ConfigError, match=expected):
        read_samples(table(f"s\tp\tsignal\t{file}\t1", BACKGROUND))


def test_one_url_in_two_samples(table) -> None:  # type: ignore[no-untyped-def]
    url = "root://eos.example//events.root"
    with pytest.raises(ConfigError, match=r"line 4: file 'root:.*' is named twice, first in .* line 3"):
        read_samples(table(f"s\tp\tsignal\t{url}\t1", f"t\tp\tbackground\t{url}\t1"))


def test_a_list_that_is_not_there(table) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(
        ConfigError, match=r"^none\.txt: file list \(samples\.tsv, line 3\) cannot be read: No such"
    ):
        read_samples(table("s\tp\tsignal\t@none.txt\t1"))


def test_a_list_that_names_itself(table) -> None:  # type: ignore[no-untyped-def]
    Path("list.txt").write_text("a.root\n@list.txt\n")
    with pytest.raises(
        ConfigError, match=r"line 3, list\.txt: a file list names the list '@list\.txt'; a list holds"
    ):
        read_samples(table("s\tp\tsignal\t@list.txt\t1"))


def test_tables_and_lists_in_other_encodings(table) -> None:  # type: ignore[no-untyped-def]
    Path("list.txt").write_bytes(b"a.root\nb\xe4.root\n")
    with pytest.raises(
        ConfigError, match=r"^list\.txt: file list \(.*, line 3\) is not UTF-8 text, .* 0xe4 in line 2"
    ):
        read_samples(table("s\tp\tsignal\t@list.txt\t1"))
    Path("latin.tsv").write_bytes(f"{HEADER}\ns\tgg→H→hh\tsignal\ta.root\t1\n".encode("utf-16"))
    with pytest.raises(
        ConfigError, match=r"^latin\.tsv: sample table is not UTF-8 text, found byte 0xff in line 1;"
    ):
        read_samples("latin.tsv")


def test_lists_have_comments_and_names_commas(table) -> None:  # type: ignore[no-untyped-def]
    for name in ("pt,300.root", "run[1].root"):
        Path(name).touch()
    Path("list.txt").write_text(
        "# mine\n\n  pt,300.root\nrun[1].root\n#b.root\nroot://eos.example//a,b.root\n"
    )
    files = read_samples(table("s\tp\tsignal\t@list.txt, a.root\t1", BACKGROUND))["s"].files
    assert list(files.values()) == ["pt,300.root", "run[1].root", "root://eos.example//a,b.root", "a.root"]


def test_an_empty_list(table) -> None:  # type: ignore[no-untyped-def]
    Path("list.txt").write_text("# nothing\n")
    with pytest.raises(ConfigError, match=r"line 3: '@list\.txt' names no file"):
        read_samples(table("s\tp\tsignal\t@list.txt\t1"))


def test_a_process_is_one_class(table) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(
        ConfigError, match=r"process 'p' is signal in sample 's' and background in 'b'.*apart"
    ):
        read_samples(table("s\tp\tsignal\ta.root\t1", "b\tp\tbackground\tb.root\t1"))


def test_an_application_may_be_of_a_known_process(table) -> None:  # type: ignore[no-untyped-def]
    samples = read_samples(
        table("s\tp\tsignal\ta.root\t1", BACKGROUND, "d\tp\tapplication\trun_01/events.root\t")
    )
    assert samples["d"].process == "p"


def test_a_byte_order_mark(table) -> None:  # type: ignore[no-untyped-def]
    path = table("s\tp\tsignal\ta.root\t1", BACKGROUND)
    path.write_text(path.read_text(encoding="utf-8").removeprefix("# a comment\n"), encoding="utf-8-sig")
    assert set(read_samples(path)) == {"s", "other"}


@pytest.mark.parametrize(("sign", "name"), [(" ", "spaces"), (",", "commas"), (";", "semicolons")])
def test_columns_that_no_tab_separates(table, sign: str, name: str) -> None:  # type: ignore[no-untyped-def]
    path = table("s\tp\tsignal\ta.root\t1", header=HEADER.replace("\t", sign))
    with pytest.raises(ConfigError, match=rf"line 2: no tab found between the columns; .* not by {name}"):
        read_samples(path)
    path = table("s\tp\tsignal\ta.root\t1".replace("\t", sign), BACKGROUND)
    with pytest.raises(ConfigError, match=rf"line 3: no tab found between the columns; .* not by {name}"):
        read_samples(path)


def test_a_broken_link(table) -> None:  # type: ignore[no-untyped-def]
    Path("link.root").symlink_to("gone.root")
    with pytest.raises(
        ConfigError, match=r"file 'link\.root' is a link to 'gone\.root', which does not exist"
    ):
        read_samples(table("s\tp\tsignal\tlink.root\t1", BACKGROUND))
    with pytest.raises(
        ConfigError, match=r"link\.root', which is a link to 'gone\.root', which does not exist"
    ):
        read_samples(table("s\tp\tsignal\tl*.root\t1", BACKGROUND))


def test_a_home_folder(table, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("HOME", str(Path.cwd()))
    Path("list.txt").write_text("~/run_02/events.root\n", encoding="utf-8")
    path = table("s\tp\tsignal\t~/a.root,~/run_0[1]/*.root,@~/list.txt\t1", BACKGROUND)
    files = read_samples("~/" + path.name)["s"].files
    assert sorted(files.values()) == [
        str(Path.cwd() / f) for f in ("a.root", "run_01/events.root", "run_02/events.root")
    ]
