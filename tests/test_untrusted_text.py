"""Names and texts that people write stay texts: no formula, markup or macro comes of them; foreign figures stay out."""

from __future__ import annotations

import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from benchmarks.core import paths
from benchmarks.report import style, svg
from benchmarks.report.artefact import write_text
from benchmarks.report.grid import Cell, Grid, to_csv

FORMULAS = ["=1+1", '=HYPERLINK("x")', "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1"]
DRAWING = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">{}</svg>'


@pytest.mark.parametrize("text", FORMULAS)
def test_no_text_of_a_csv_is_a_formula(text):
    frame = pd.DataFrame({"method": [text, "tgt-random"], "score": [-0.5, 0.5], text: ["-0.25", "x"]})
    frame["class"] = pd.Categorical([text, "b"])
    written = to_csv(frame)
    cells = [cell.lstrip('"') for line in written.replace("\r", "").splitlines() for cell in line.split(",")]
    assert [cell for cell in cells if cell.startswith(("=", "+", "@", "\t"))] == []
    assert "'" + text.replace('"', '""') in written
    assert "-0.500000" in written  # numbers stay numbers, those in words too
    assert ",-0.25," in written


def test_a_frame_without_such_texts_is_written_as_it_is():
    frame = pd.DataFrame({"method": ["a", None], "n": [1, 2], "delta": [float("nan"), -1.0], "ok": [True, False]})
    assert to_csv(frame) == "method,n,delta,ok\na,1,,True\n,2,-1.000000,False\n"


HOSTILE = "<script>alert(1)</script>"


def test_no_markup_in_markdown(tmp_path):
    link, many = "[x](javascript:alert(1))", "a|b\n| c |"
    grid = Grid.of(("method", HOSTILE), [[HOSTILE, link], [Cell(many, bold=True), "1"]], title=link, notes=(HOSTILE,))
    told = grid.markdown()
    assert "](" not in told
    rows = [line for line in told.splitlines() if line.startswith("|")]
    assert len(rows) == 4  # heads, rule, two rows: a line break is no row of its own
    written = write_text(tmp_path / "x.md", told + "\n" + HOSTILE).read_text()
    assert "<script" not in written.replace("\\<", "")
    assert "\\\\<" not in written  # and nothing is escaped twice


def test_what_markdown_says_of_numbers_stays():
    grid = Grid.of(("method *", "x [low, high]"), [["a *", "0.1 [0.0, 0.2] < 3"]], title="n < 50 (size small)")
    assert grid.markdown().startswith("### n < 50 (size small)\n\n| method * | x [low, high] |\n")
    assert "| a * | 0.1 [0.0, 0.2] < 3 |" in grid.markdown()


def test_no_macro_in_latex():
    told = Grid.of(("method",), [["\\input{/etc/passwd}"], ["$x^{2}$ ~ #1 %"]], title="\\write18{ls}\n\n\\def").latex()
    for macro in ("\\input", "\\write", "\\def", "\n\n", "^{"):
        assert macro not in told
    assert r"\textbackslash input\{/etc/passwd\}" in told
    assert r"\$x\textasciicircum \{2\}\$ \textasciitilde  \#1 \%" in told


def test_no_formula_in_figures(tmp_path):
    """Names may hold dollar signs, as files' names may; the axes' own numbers stay formulas."""
    name = r"a$\frac$b"
    figure = Figure(layout="tight")
    left, right = figure.subplots(1, 2)
    left.plot([1, 1000], [1, 10], label=name)
    left.set(xscale="log", xlabel=name, title="a$b$c")
    left.legend()
    right.barh([name, "a$b$c"], [1, 2])
    style.save(figure, tmp_path / "x.png", (".png",))  # a formula that cannot be read would be an error
    said = [(text.get_text(), text.get_parse_math()) for text in figure.findobj(Text) if "$" in text.get_text()]
    assert len([formula for told, formula in said if told in (name, "a$b$c")]) >= 5
    assert all(formula == told.startswith(r"$\mathdefault") for told, formula in said)


@pytest.mark.parametrize(
    "inside",
    [
        "<script>alert(1)</script>",
        '<g onload="alert(1)"/>',
        '<a xlink:href="javascript:alert(1)"><path d=""/></a>',
        '<image xlink:href="https://example.org/x.png"/>',
        '<use xlink:href="other.svg#x"/>',
        '<rect style="fill: url(https://example.org)"/>',
        "<style>@import 'https://example.org/x.css'; g {}</style>",
        "<foreignObject><p xmlns='http://www.w3.org/1999/xhtml'>x</p></foreignObject>",
        "<animate attributeName='x'/>",
        "<g>",
    ],
)
def test_a_foreign_figure_is_left_out_of_the_page(inside, tmp_path, capsys):
    path = tmp_path / "fig2.svg"
    path.write_text(DRAWING.format(inside))
    assert svg.inline(path) == ""
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "no figure that the suite wrote" in told


def test_entities_and_what_html_reads_otherwise_do_not_pass(tmp_path):
    path = tmp_path / "fig2.svg"
    path.write_text('<!DOCTYPE svg [<!ENTITY a "b">]>' + DRAWING.format("<g>&a;</g>"))
    assert svg.inline(path) == ""
    path.write_text(DRAWING.format("<!--> <script>alert(1)</script> --><g/>"))  # to HTML the comment ends at its start
    assert "script" not in svg.inline(path)
    assert svg.inline(tmp_path / "absent.svg") == ""


def test_the_suites_own_figures_pass_with_ids_of_their_own():
    figures = sorted((paths.REFERENCE / "small").glob("*.svg"))[:3]
    assert figures
    for path in figures:
        drawn = svg.inline(path)
        assert drawn.startswith("<svg")
        assert drawn.count(f'id="{path.stem}-') > 10
        assert 'xlink:href="#' + path.stem in drawn
