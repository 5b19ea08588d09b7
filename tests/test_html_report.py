"""The page of a results folder: whole, self-contained, and in a real browser at two widths and in both themes."""

from __future__ import annotations

import io
import re
import shutil

import pytest
from rich.console import Console

from benchmarks.analysis import learning_curves
from benchmarks.analysis import pairwise as comparison
from benchmarks.core import paths
from benchmarks.records import Results
from benchmarks.records.groups import Group
from benchmarks.registry.experiments import Choice
from benchmarks.report import artefacts, figures, overviews, style
from benchmarks.report import html as html_report

FOLDER = paths.REFERENCE / "small"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "index.html"
    path.write_text(whole_page())
    return path


def whole_page():
    results = Results.load(FOLDER)
    (found,) = [one for one in artefacts.of(results, Choice(), results) if one.name == "index"]
    return found.contents["index.html"]


def test_the_page_asks_for_nothing_from_elsewhere(page):
    text = page.read_text()
    assert not re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', text)
    assert "@import" not in text
    assert not re.findall(r"url\((?!#)[^)]*\)", text)


def test_every_link_of_the_page_leads_somewhere(page):
    text = page.read_text()
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    targets = set(re.findall(r'<a\s+href="#([^"]+)"', text))
    assert len(targets) > 100
    assert targets <= set(ids)


def test_the_page_holds_every_claim_figure_and_run(page):
    text = page.read_text()
    assert all(f'id="claim-C{n}"' in text for n in range(1, 9))
    assert all(f'id="figure-{path.stem}"' in text for path in FOLDER.glob("*.svg"))
    assert text.count("<svg") == len(list(FOLDER.glob("*.svg"))) > 0
    keys = re.findall(r"<code>([0-9a-f]{24})</code>", text)
    assert len(keys) == len(Results.load(FOLDER).of()) > 1600
    assert "./reproduce.sh fig2 --tasks movie-5" in text
    assert text.count("What the errors are made of") == len(Results.load(FOLDER).groups())


def test_the_same_records_give_the_same_page(page):
    assert whole_page() == page.read_text()


def test_the_page_of_few_records_has_the_sections_that_they_fill(tmp_path):
    recorded = Results.load(FOLDER).groups()["movie-5", "full", 250, "samples"]
    records = [record for method in ("one-hot", "distillation") for record in recorded[method].values()]
    results = Results(tmp_path, records)
    artefacts.write(results, Choice(), Console(file=io.StringIO()), Results.load(FOLDER))
    text = (tmp_path / "index.html").read_text()
    assert 'id="records"' in text
    assert 'id="gallery"' not in text
    assert {"table2.csv", "table2.md", "price.csv", "report.md"} <= {path.name for path in tmp_path.iterdir()}
    assert not (tmp_path / "aggregate.csv").exists()


@pytest.fixture(scope="module")
def comparison_page(tmp_path_factory):
    """One row of the reference against three others, as `compare` writes it."""
    folder = tmp_path_factory.mktemp("comparison")
    name = Group("fashion-lt", "full", 2478, "samples")
    wanted = ("tgt-gradient-balanced", "distillation", "prior-sampling", "tgt-random")
    recorded = Results.load(FOLDER).groups()[name]
    group = {method: recorded[method] for method in wanted}
    found = comparison.family(wanted[0], {name: group})[name]
    said = comparison.conclusion(wanted[0], name, group, found)
    style.save(figures.learning_curves(learning_curves.frame({name: group})), folder / "compare-it")
    path, figure = folder / "comparison.html", folder / "compare-it.svg"
    verdict, _ = comparison.verdict(wanted[0], name, group, found)
    versus = [*overviews.versus(found), overviews.methods(group)]
    path.write_text(
        html_report.comparison({name: group}, "A comparison", [(verdict, "supported")], [said], [versus], figure, [])
    )
    return path


def test_the_page_of_a_comparison_says_it_in_words_and_numbers(comparison_page):
    text = comparison_page.read_text()
    assert "tgt-gradient-balanced reaches" in text
    assert "Is it better than TGT here?" in text
    assert all(f'id="{section}"' in text for section in ("conclusion", "tables", "figures", "costs", "records"))
    assert all(f'id="{section}"' not in text for section in ("verdicts", "gallery"))
    assert "claim-C1" not in text
    assert text.count("<svg") == 1
    assert re.search("<th[^>]*>Holm p</th>", text)
    assert "<figcaption>compare-it</figcaption>" in text  # its command has a file that is not known here
    test_the_page_asks_for_nothing_from_elsewhere(comparison_page)
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'<a\s+href="#([^"]+)"', text)) <= set(ids)


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("which", ["page", "comparison_page"])
def test_the_page_in_a_browser(which, theme, width, tmp_path, request):
    page = request.getfixturevalue(which)
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=theme)
        said: list[str] = []
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on("request", lambda request: said.append(request.url) if request.url.startswith("http") else None)
        tab.goto(page.as_uri())
        assert said == []
        # Nothing is wider than the window: tables scroll within themselves.
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        background = tab.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", background)[:3])) < 200) == (theme == "dark")
        tab.click("#theme")
        assert tab.evaluate("getComputedStyle(document.body).backgroundColor") != background
        tab.click("#theme")
        table = tab.locator("#tables ~ details.group table.sortable:has(tbody a)").first
        column = "rows => rows.map(row => parseFloat(row.cells[1].textContent))"
        for order in (lambda v: sorted(v, reverse=True), sorted):
            table.locator("thead th").nth(1).click()
            shown = table.locator("tbody tr").evaluate_all(column)
            assert shown == order(shown)
        before = tab.locator("details.group").evaluate_all("all => all.map(one => [one.open, one.hidden])")
        tab.fill("#filter", "tgt-random")
        visible = table.locator("tbody tr:visible").all_inner_texts()
        assert visible
        assert all("tgt-random" in text for text in visible)
        # What is folded opens where something is found in it, what has nothing is hidden, and both end with the filter.
        folds = "all => all.map(one => [one.open, one.hidden])"
        groups = tab.locator("details.group")
        searched = groups.evaluate_all(folds)
        assert [True, False] in searched
        assert all(opened != hidden for opened, hidden in searched)
        tab.fill("#filter", "no row has this")
        assert all(hidden for _, hidden in groups.evaluate_all(folds))
        tab.fill("#filter", "")
        assert groups.evaluate_all(folds) == before
        link = table.locator("tbody a").first
        target = link.get_attribute("href")
        link.click()
        # The page hears of the new address a moment after the click.
        tab.wait_for_function("id => document.getElementById(id).open", arg=target.removeprefix("#"), timeout=10_000)
        boxes = tab.locator(".figure svg").evaluate_all("all => all.map(one => one.getBoundingClientRect().width)")
        assert boxes
        assert min(boxes) > 0.6 * min(width, 1200)
        tab.screenshot(path=tmp_path / f"{theme}-{width}.png", full_page=False)
        browser.close()
