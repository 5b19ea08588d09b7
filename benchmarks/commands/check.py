"""`check`: what is wrong with records and tables, and the verdict on each claim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console

from benchmarks.commands.options import CustomFiles, Submitted, choice_of, folder_of
from benchmarks.core import paths
from benchmarks.core.errors import BadInput
from benchmarks.core.paths import REFERENCE

if TYPE_CHECKING:
    from benchmarks.records.submission import Submission
    from benchmarks.report.audit import Problem


@dataclass
class Options(Submitted, CustomFiles):
    repair: bool = False
    """Take lines that are no records, or were edited, out of the results folder's records.jsonl; the file as it was is
    kept beside it."""


def run(target: str, words: list[str], options: Options, console: Console) -> int:
    """Of the committed reference, and of the records in a results folder where there are any; or of submissions."""
    from benchmarks.records import Results
    from benchmarks.records.record import Store

    choice_of(options)
    if options.with_:
        return max(_submitted(one, console) for one in options.submissions)
    folder, status, looked = folder_of(options), 0, 0
    if options.repair:
        for store in (Store(folder), Store(folder / "tuning")):
            if backup := store.repair():
                console.print(f"{store.path}: repaired; as it was: {backup}", markup=False)
    own = Results.load(folder)
    if not len(own) and folder.parent != paths.LOCAL:
        raise BadInput(f"{folder} holds no records to check")
    for where in dict.fromkeys((REFERENCE / options.size, folder)):
        results = own if where == folder else Results.load(where)
        if len(results):
            looked += 1
            status = max(status, _one(results, options.size, console))
    if not looked:
        raise BadInput(f"there are no records of size {options.size} to check")
    return status


def _submitted(one: Submission, console: Console) -> int:
    """Whether today's suite would set the submitted runs beside its own: same data, splits, teachers, protocol."""
    from benchmarks.report import audit

    console.print(f"{one.about.method}: {len(one.records)} records, {one.about.about}", markup=False, style="bold")
    found = list(audit.stale(one.records, {}))
    found += [audit.Problem(f"failed: {r.spec.label}: {r.reason}") for r in one.records if r.status == "failed"]
    return _told(found, "records are whole, and those of the packed code", console)


def _one(results, size: str, console: Console) -> int:
    from benchmarks.analysis import claims
    from benchmarks.analysis.search_orders import Orders
    from benchmarks.report import audit

    console.print(f"{results.folder}: {len(results)} records", markup=False, style="bold")
    wrong = _told(list(audit.problems(results, size)), "records and tables are whole", console)
    try:
        groups = results.groups()
    except ValueError:
        return 1  # mixed teachers: told above, and nothing is said of claims by them
    of_reference = REFERENCE in results.folder.resolve().parents
    for judged in claims.judge_all(groups, Orders.of(results.folder), every=of_reference):
        claim = judged.claim
        console.print(f"  {claim.id}: {judged.outcome.upper()} ({judged.told}). {claim.claim}", markup=False)
    return wrong


def _told(found: list[Problem], well: str, console: Console) -> int:
    for problem in found:
        mark = "WRONG" if problem.wrong else "note "
        count = f" ({problem.count} records)" if problem.count > 1 else ""
        console.print(f"  {mark} {problem.told}{count}", markup=False)
    wrong = any(problem.wrong for problem in found)
    if not wrong:
        console.print(f"  {well}", markup=False)
    return int(wrong)
