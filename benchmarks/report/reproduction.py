"""report.md: own tables, how they compare with the committed reference, verdicts on the claims, decoded texts."""

from __future__ import annotations

from benchmarks.analysis import claims
from benchmarks.analysis.search_orders import Orders
from benchmarks.records.groups import TRIAL_SIZES
from benchmarks.records.results import Results
from benchmarks.registry import tasks
from benchmarks.registry.experiments import Choice
from benchmarks.report import overviews, tables
from benchmarks.report.artefact import Artefact
from benchmarks.report.grid import Grid
from benchmarks.task import Task


def text(results: Results, reference: Results, found: list[Artefact], choice: Choice) -> str:
    """Markdown; of the reference itself only its verdicts.

    Args:
        found: the other artefacts, figure 1's texts among them.
    """
    theirs = claims.judge_all(reference.groups(), Orders.of(reference.folder))
    told = "## Claims, by the reference's records"
    decoded = [one for one in found if one.name.startswith("fig1-") and one.grids]
    texts = ["## What the generator makes of texts", ""] if decoded else []
    texts += [decoded_text(tasks.get(one.name.removeprefix("fig1-")), one.grids) for one in decoded]
    if results is reference:
        return "\n".join(["# Reference", "", told, "", *_verdicts(theirs), *texts]) + "\n"
    groups, orders = results.groups(choice.settings), Orders.of(results.folder)
    trial = TRIAL_SIZES.get(choice.size)
    size = f"**{trial[0].upper()}{trial[1:]}.**" if trial else f"Size {choice.size}."
    parts = ["# Report", "", size, "", "## Your tables", ""]
    parts += [tables.grid(group, cells, orders=orders).markdown() for group, cells in groups.items()]
    if grid := overviews.reproduced(groups, reference.groups()):
        parts += ["## Yours beside the reference", "", *grid.notes, ""]
        parts += [Grid(grid.heads, grid.rows, align=grid.align).markdown()]
    if not trial and (ours := claims.judge_all(groups, orders, every=False)):
        asked = {one.claim.id for one in ours}
        parts += ["## Claims, by your records", "", *_verdicts(ours)]
        parts += [told, "", *_verdicts([one for one in theirs if one.claim.id in asked])]
    return "\n".join([*parts, *texts]) + "\n"


def _verdicts(found: list[claims.Judged]) -> list[str]:
    """Each claim, the paper's number, the verdict on each check, and what was found."""
    out = [claims.METHOD, ""]
    for judged in found:
        claim = judged.claim
        out += [f"**{claim.id}** {claim.claim}  ", f"({claim.where}; {claim.trust}; published: {claim.published})  "]
        out += [f"Rule: {claim.rule}  "] if claim.rule else []
        out += [f"{judged.outcome.capitalize()}: {judged.told}", ""]
        rows = ([cell.text for cell in row] for row in overviews.checks(judged).rows)
        out += [f"- {verdict.upper()} ({part}): {asked}: {numbers}" for part, asked, verdict, numbers in rows]
        out += [f"- {finding}" for finding in claim.findings] + [""]
    return out


def decoded_text(task: Task, grids: list[Grid]) -> str:
    """Figure 1's texts as Markdown."""
    what = "First passage" if task.domain == "retrieval" else "Class"
    parts = [f"### {task.title}: decoded neighbours of training texts", ""]
    parts += [f"{what} by labeler and by student, and their disagreement KL(labeler || student), at L2 distances.", ""]
    for grid in grids:
        parts += [f"**{grid.title}**", "", Grid(grid.heads, grid.rows, align=grid.align).markdown()]
    return "\n".join(parts)
