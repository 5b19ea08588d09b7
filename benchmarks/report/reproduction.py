"""report.md: results compared with the committed reference, verdicts on the claims, decoded texts."""

from __future__ import annotations

from benchmarks.analysis import claims, ledger
from benchmarks.analysis.search_orders import Orders
from benchmarks.records.groups import TRIAL_SIZES, Groups
from benchmarks.records.results import Results
from benchmarks.registry import tasks
from benchmarks.registry.experiments import Choice
from benchmarks.report import overviews
from benchmarks.report.artefact import Artefact
from benchmarks.report.grid import Grid
from benchmarks.task import Task


def text(results: Results, reference: Results, found: list[Artefact], choice: Choice) -> str:
    """Markdown; of the reference itself only its verdicts.

    Args:
        found: the other artefacts, figure 1's texts among them.
    """
    theirs = reference.groups()
    verdicts = ["## Claims, by the reference's records", "", *_verdicts(theirs, Orders.of(reference.folder))]
    decoded = [one for one in found if one.name.startswith("fig1-") and one.grids]
    texts = ["## What the generator makes of texts", ""] if decoded else []
    texts += [decoded_text(tasks.get(one.name.removeprefix("fig1-")), one.grids) for one in decoded]
    if results is reference:
        return "\n".join(["# Reference", "", *verdicts, *texts]) + "\n"
    ours, trial = results.groups(choice.settings), TRIAL_SIZES.get(choice.size)
    parts = [
        "# Report",
        "",
        f"**{trial[0].upper()}{trial[1:]}.**" if trial else f"Size {choice.size}.",
        "",
        "## Yours beside the reference",
        "",
    ]
    if grid := overviews.reproduced(ours, theirs):
        parts += [*grid.notes, "", Grid(grid.heads, grid.rows, align=grid.align).markdown()]
    else:
        parts += ["No cell is recorded in both.", ""]
    parts += verdicts
    if ours and not trial:
        parts += ["## Claims, by your records", "", *_verdicts(ours, Orders.of(results.folder))]
    return "\n".join([*parts, *texts]) + "\n"


def _verdicts(groups: Groups, orders: Orders) -> list[str]:
    """Each claim, the paper's number, the verdict on each check, and what was found."""
    out = [claims.METHOD, ""]
    for claim in ledger.load():
        judged = claims.judge(claim, groups, orders)
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
