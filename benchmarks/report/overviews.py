"""The tables beside those of the groups: of all tasks at once, of costs, of pairs, of diagnostics, of claims."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from benchmarks.analysis import aggregate as aggregates
from benchmarks.analysis import claims, crossed, diagnostics, scores, stats, summary
from benchmarks.analysis.claims import Judged
from benchmarks.analysis.pairwise import Pair
from benchmarks.metrics.classification import label
from benchmarks.records.checkpoints import COSTS
from benchmarks.records.groups import TRIAL_SIZES, Cells, Group, Groups, finished
from benchmarks.registry import tasks
from benchmarks.registry.methods import fact
from benchmarks.report.grid import Cell, Grid
from benchmarks.report.tables import OF_ERRORS

if TYPE_CHECKING:
    import pandas as pd


def aggregate(found: aggregates.Scores, frame: pd.DataFrame, size: str) -> Grid:
    """All tasks at once, of scores and their frame, with what a reader must know of it."""
    p = aggregates.friedman(found)
    told = "" if math.isnan(p) or size in TRIAL_SIZES else f" Friedman's test that all rank alike: p = {p:.2g}."
    return Grid.of(
        ("method", "interquartile mean [resampled]", "average rank"),
        [(str(r.method), f"{r.iqm:.3f} [{r.low:.3f}, {r.high:.3f}]", f"{r.rank:.2f}") for r in frame.itertuples()],
        title="All tasks at once",
        notes=(
            f"Scores are shares of the labeler's own, on {', '.join(found.tasks)}, each at the smallest budget of its "
            f"table, {found.values.shape[2]} seeds; methods that were run on all of them. A method with its samples in "
            "a pool and the same without one count as one. [2.5 % and 97.5 % of resamplings of the seeds of each "
            "task]: of so few seeds narrower than a 95 % interval. Average ranks nearer than "
            f"{found.critical_difference:.2f} are not significantly different (Nemenyi).{told} Means over tasks hide "
            "where a method fails: the tables show it.",
        ),
    )


def prices(frame: pd.DataFrame) -> Iterator[Grid]:
    """Time-to-accuracy, one table a group."""
    for key, rows in frame.groupby(list(Group._fields), sort=False):
        group = Group._make(key)
        goal = f"{100 * rows.target.iloc[0]:.1f} % {label(tasks.get(group.task).metric)}"
        lines = []
        for row in rows.to_dict("records"):
            most = "≤ " if row["at_first"] > row["n_seeds"] / 2 else ""
            paid = [f"{most}{row[cost]:,.0f}" if math.isfinite(row[cost]) else "–" for cost in COSTS]
            lines.append((row["method"], *paid, f"{row['reached']} of {row['n_seeds']}"))
        title = f"{group.title}: {goal} on validation samples, in the mean"
        yield Grid.of(("method", *COSTS, "seeds that reach it"), lines, title=title)


def diagnosed(frame: pd.DataFrame) -> Iterator[Grid]:
    """Diagnostics, one table a group, with the columns that any of its runs has."""
    for key, rows in frame.groupby(list(Group._fields), sort=False):
        shown = ["method", *(column for column in diagnostics.MEANING if rows[column].notna().any())]
        shown += ["alarms"] if rows.alarms.any() else []
        yield Grid.of_frame(rows[shown].rename(columns={"alarms": "warnings"}), title=Group._make(key).title)


def versus(found: list[Pair], size: str = "") -> list[Grid]:
    """A method's comparison with its rivals, one row a rival: what decides, other tests, what the errors are made of.

    Of a size that gives no results only the differences.
    """
    heads, title = ["against", "Δ points [95 %]"], "Against each rival"
    rows = [[pair.rival, pair.difference.points] for pair in found]
    note = "Δ: paired, the rival subtracted, in points, with its interval."
    if size in TRIAL_SIZES:
        return [Grid.of(heads, rows, title=title, notes=(note,))]
    for pair, row in zip(found, rows, strict=True):
        row += [pair.verdict().removesuffix(" than").removesuffix(" from"), _p(pair.holm)]
        row += ["n/a" if math.isnan(pair.detectable) else f"{100 * pair.detectable:.1f}"]
    note += (
        " Holm p: that of the difference, over all looks and corrected over all differences that the comparison tests; "
        "the verdict goes by it. Detectable: the true difference that these runs show 4 times in 5, corrected alike."
    )
    errors = [
        [pair.rival, *("–" if math.isnan(e) else f"{100 * e:.1f}" for e in pair.difference.parts.errors.values())]
        for pair in found
    ]
    of_errors = (
        "Standard errors of Δ by where they come from, – where unknown: student seeds, draws of the teacher, "
        "their crossing, the test samples."
    )
    return [
        Grid.of([*heads, "verdict", "Holm p", "detectable"], rows, title=title, notes=(note,), align="lrwrr"),
        _other_tests(found),
        Grid.of(("against", *OF_ERRORS), errors, title="What the errors are made of", notes=(of_errors,)),
    ]


def _other_tests(found: list[Pair]) -> Grid:
    """Of each pair, the tests and rules that do not decide."""
    costs = list(COSTS)[1:]  # at equal updates is the table's own comparison
    rows = []
    for pair in found:
        low, high = pair.bootstrap
        interval = "n/a" if math.isnan(low) else f"[{100 * low:+.1f}, {100 * high:+.1f}]"
        row = [pair.rival, _p(pair.flips), _p(pair.wilcoxon), interval, f"{pair.improvement:.2f}"]
        at_cost = (f"{_mean(pair.at_cost[cost][1])} ({pair.at_cost[cost][0]:,.0f})" for cost in costs)
        rows.append([*row, _mean(pair.by_rule["best on validation"]), *at_cost])
    heads = ["against", "sign-flip p", "Wilcoxon p", "bootstrap", "P(improvement)", "Δ best on validation"]
    return Grid.of(
        [*heads, *(f"Δ at equal {cost}" for cost in costs)],
        rows,
        title="Other tests and rules of selection",
        notes=(
            "Sign-flip p cannot fall below 2^(1 - seeds). Equal costs: at the last checkpoint within the cheaper one's "
            "whole cost (in brackets); a run cut there had not finished its schedule.",
        ),
    )


def methods(cells: Cells) -> Grid:
    """What each method of a group is, and what a run of it pays."""
    rows = []
    for method, seeds in cells.items():
        paid = ["", "", ""]
        if runs := len(finished(seeds)):
            seconds, queries = (summary.mean_cost(seeds, name) for name in ("seconds", "labeler_queries"))
            paid = [summary.seconds(seconds), f"{queries:,.0f}", f"{runs}"]
        rows.append([method, fact(method).about.rstrip("."), *paid])
    heads = ("method", "what it is", "seconds", "labeler queries", "runs")
    return Grid.of(heads, rows, title="The methods and what a run costs", align="lwrrr")


def _p(value: float) -> str:
    return "n/a" if math.isnan(value) else f"{value:.2g}"


def _mean(difference: stats.Difference | None) -> str:
    return "n/a" if difference is None else f"{100 * difference.mean:+.1f}"


def reproduced(ours: Groups, theirs: Groups) -> Grid | None:
    """Own results compared with the reference's, cell by cell; None where no cell is recorded in both."""
    rows, agree = [], 0
    for group, cells in ours.items():
        metric = tasks.get(group.task).metric
        for method, seeds in cells.items():
            both = [scores.of(cell, metric) for cell in (theirs.get(group, {}).get(method, {}), seeds)]
            reference, mine = (one.values.tolist() for one in both)
            if (found := stats.reproduced(mine, reference)) is not None:
                agree += found
                told = [f"{one.percent} ({one.n})" for one in map(crossed.estimate, both) if one is not None]
                verdict = "reproduced" if found else "NOT reproduced"
                rows.append((group.task, group.teacher, f"{group.budget:,}", method, *told, verdict))
    if not rows:
        return None
    note = (
        f"{agree} of {len(rows)} cells agree with the reference (95 % interval of the difference of means holds zero; "
        "about one in twenty would not even if nothing differed)."
    )
    heads = ("task", "teacher", "samples", "method", "reference %", "yours %", "")
    return Grid.of(heads, rows, notes=(note,), align="llrlrrl")


def checks(judged: Judged) -> Grid:
    """The verdicts on a claim's checks, the one that decides it first."""
    every = [("primary", judged.primary), *(("secondary", one) for one in judged.secondary)]
    rows = [
        (part, claims.asked(one.check), Cell(one.outcome, kind=verdict_kind(one.outcome)), one.numbers)
        for part, one in every
        if one is not None
    ]
    return Grid.of(("", "asked", "verdict", "difference"), rows, align="lwlw")


def verdict_kind(outcome: str) -> str:
    """The colour of a verdict on a page."""
    return outcome if outcome in (claims.SUPPORTED, claims.CONTRADICTED) else claims.UNDECIDED


def decoded(table: pd.DataFrame) -> Iterator[Grid]:
    """What figure 1 shows of texts, one table a sample: its decoded neighbours with both networks' classes."""
    for _, rows in table.groupby("sample"):
        lines = [
            (way(row), row["text"], row["labeler"], row["student"], f"{row['kl']:.2f}")
            for row in rows.to_dict("records")
        ]
        yield Grid.of(("", "text", "labeler", "student", "KL"), lines, title=rows["label"].iloc[0], align="lwllr")


def way(row: dict) -> str:
    """How a neighbour was made, and at which distance."""
    return row["kind"] if not row["distance"] else f"{row['kind']} {row['distance']:g}"
