"""Exports: one flat table whose every column is told of, LaTeX that compiles, BibTeX that is whole."""

from __future__ import annotations

import re
import shutil
import subprocess

import pandas as pd
import pytest

from benchmarks.core import paths
from benchmarks.records import Results
from benchmarks.report import export

FOLDER = paths.REFERENCE / "small"


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    shutil.copy(FOLDER / "records.jsonl", folder)
    return {path.name: path for path in export.write(Results.load(folder))}


def test_csv_and_parquet_hold_every_record_alike(exported):
    csv, parquet = pd.read_csv(exported["records.csv"]), pd.read_parquet(exported["records.parquet"])
    results = Results.load(FOLDER)
    assert len(csv) == len(parquet) == len(results) > 1800
    assert csv.columns.tolist() == parquet.columns.tolist()
    pd.testing.assert_series_equal(csv["test.accuracy"], parquet["test.accuracy"])
    assert set(csv.settings.fillna("")) == set(results.settings) > {"", "sigma=2"}


def test_every_column_is_told_of(exported):
    csv = pd.read_csv(exported["records.csv"])
    told = exported["columns.md"].read_text()
    assert all(f"| `{column}` |" in told and export.meaning(column) for column in csv.columns)
    with pytest.raises(KeyError):
        export.meaning("nobody.knows")


def test_nothing_to_export_is_said(tmp_path):
    with pytest.raises(ValueError, match="holds no records to export"):
        export.write(Results.load(tmp_path))


def test_bibtex_entries_are_whole(exported):
    text = exported["references.bib"].read_text()
    entries = re.findall(r"@\w+\{([^,]+),(.*?)\n\}", text, re.DOTALL)
    assert len({name for name, _ in entries}) == len(entries) == text.count("@")
    for _, body in entries:
        assert {"title", "author", "year"} <= set(re.findall(r"^\s+(\w+) = \{", body, re.MULTILINE))
        assert body.count("{") == body.count("}")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="LaTeX is not installed")
@pytest.mark.parametrize("name", ["table1", "table2", "table3", "fig2"])
def test_latex_compiles(name, tmp_path):
    table = (FOLDER / f"{name}.tex").read_text()
    document = rf"\documentclass{{article}}\usepackage{{booktabs,graphicx}}\begin{{document}}{table}\end{{document}}"
    (tmp_path / "page.tex").write_text(document)
    words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
    wide = re.findall(r"Overfull \\hbox \(([\d.]+)pt too wide\) in paragraph at", done.stdout)
    assert not [points for points in wide if float(points) > 5]
    assert (tmp_path / "page.pdf").stat().st_size > 10_000
