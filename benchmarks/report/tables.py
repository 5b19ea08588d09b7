"""The table of one group of comparable runs: scores, paired differences, what each method paid, and notes below."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

from benchmarks.analysis import crossed, diagnostics, summary
from benchmarks.analysis.scores import Scores
from benchmarks.analysis.search_orders import DECIDED, Orders
from benchmarks.metrics.classification import SHOT_RULE, label
from benchmarks.records.groups import Cells, Group, Seeds, Unit, finished, size_of, values
from benchmarks.records.record import Record
from benchmarks.registry import tasks
from benchmarks.registry.experiments import BASELINE
from benchmarks.registry.methods import METHODS, fact, rows_of
from benchmarks.report.grid import Cell, Grid, id_of
from benchmarks.task import Task
from benchmarks.teachers.training import at_chance


def grid(
    group: Group, cells: Cells, beside: dict[str, dict[str, str]] | None = None, orders: Orders | None = None
) -> Grid:
    """The table of a group.

    Args:
        beside: further columns, by their heads, that stand before ours: the text of each method that has one.
        orders: what the searches behind the hyper-parameters say.
    """
    others = beside or {}
    task = tasks.get(group.task)
    scores = summary.scores(cells, task.metric)
    of_steps = {steps: summary.contenders(cells, task.metric, steps) for steps in summary.schedules(cells)}
    winner = summary.clear_winner(cells, task.metric)
    beyond = summary.references(task, cells)  # what needs no student
    base = scores.get(BASELINE)
    top = beyond["teacher"][task.metric] if base and "teacher" in beyond else None
    also = task.also or ()
    heads = ["method", *others, f"{label(task.metric)} %", *map(label, also), f"Δ {BASELINE}", "Δ best rival"]
    heads += ["gap closed %"] if top is not None else []
    heads += ["seconds", "labeler queries", "seeds"]
    rows = []
    for method, seeds in cells.items():
        rivals = of_steps[fact(method).schedule]
        recorded = any(record is not None for record in seeds.values())
        link = id_of("records", *group, method) if recorded else ""
        row = [Cell(method + (" *" if method in rivals[:1] else ""), link=link)]
        row += [Cell(column.get(method, "")) for column in others.values()]
        if method not in scores:
            row += [Cell(_absence(seeds))]
        else:
            ours = scores[method]
            row.append(Cell(_estimated(ours).percent, bold=method == winner))
            texts = [_mean(values(seeds, other)) for other in also]
            marked = partial(_delta, method, group=group, orders=orders)
            texts.append(marked(BASELINE, crossed.paired(ours, base)) if base else "")
            texts.append(marked(rivals[0], summary.over_best(scores, method, rivals)) if rivals else "")
            if top is not None and base:
                share = summary.gap_closed(ours.by_unit, base.by_unit, top)
                texts.append("n/a" if share is None else f"{100 * share:.0f}")
            texts.append(summary.seconds(summary.mean_cost(seeds, "seconds")))
            texts.append(f"{summary.mean_cost(seeds, 'labeler_queries'):,.0f}")
            row += [Cell(text) for text in [*texts, _count(seeds)]]
        rows.append(row)
    for name, judged in beyond.items():
        known = [judged.get(score) for score in (task.metric, *also)]
        texts = ["n/a" if score is None else f"{100 * score:.1f}" for score in known]
        rows.append([Cell(text) for text in [name, *[""] * len(others), *texts]])
    return Grid.of(
        heads,
        [[*row, *[Cell("")] * (len(heads) - len(row))] for row in rows],
        title=group.title,
        notes=(*_notes(task, group, cells), *_of_search(group, cells, rows, orders)),
        id=id_of("table", *group),
    ).of_size(size_of(cells))


def column(cells: Cells, metric: str) -> dict[str, str]:
    """A metric of each method in a group, in per cent with its interval, as a column of another table."""
    found = summary.scores(cells, metric)
    return {method: _estimated(scores).percent for method, scores in found.items()}


def parts(group: Group, cells: Cells) -> Grid:
    """What the error of each method's mean is made of, in points, and that of its difference from distillation."""
    found = summary.scores(cells, tasks.get(group.task).metric)
    rows = []
    for method, ours in found.items():
        paired = crossed.paired(ours, found[BASELINE]) if BASELINE in found and method != BASELINE else None
        rows.append([method, *_errors(_estimated(ours)), *(_errors(paired) if paired else [""] * len(OF_ERRORS))])
    heads = [*OF_ERRORS, *(f"Δ: {name}" for name in OF_ERRORS)]
    note = (
        "Standard errors in points, by where they come from: student seeds, draws of the teacher, their crossing, test "
        f"samples; of the mean, and of the difference from {BASELINE}. –: unknown."
    )
    return Grid.of(("method", *heads), rows, notes=(note,))


#: What tables call the parts of an error.
OF_ERRORS = ("seeds", "draws", "seeds x draws", "test samples")


def _errors(found: crossed.Estimate) -> list[str]:
    return ["–" if math.isnan(error) else f"{100 * error:.2f}" for error in found.parts.errors.values()]


def _estimated(scores: Scores) -> crossed.Estimate:
    found = crossed.estimate(scores)
    assert found is not None  # a method without a score is not among the scores
    return found


def _absence(seeds: Seeds) -> str:
    failed = [record for record in seeds.values() if record is not None]
    return f"FAILED: {failed[0].reason}" if failed else "not run"


def _count(seeds: Seeds) -> str:
    """Seeds, or seeds x draws of the teacher; of those wanted, where not all finished."""
    good = len(finished(seeds))
    failed = sum(record is not None and record.status == "failed" for record in seeds.values())
    n_seeds, n_draws = (len(set(part)) for part in zip(*seeds, strict=True))
    if good == len(seeds):
        whole = f"{n_seeds} x {n_draws}" if good == n_seeds * n_draws else f"{n_seeds}, {n_draws} draws, {good} runs"
        return f"{good}" if n_draws == 1 else whole
    return f"{good}/{len(seeds)}" + (f", {failed} FAILED" if failed else "")


def _mean(scores: dict[Unit, float]) -> str:
    return f"{100 * sum(scores.values()) / len(scores):.1f}" if scores else "n/a"


def _delta(
    ours: str, theirs: str, difference: crossed.Estimate | None, group: Group, orders: Orders | None = None
) -> str:
    """A difference in points, marked where another search could turn it round."""
    if ours == theirs:
        return "–"
    if difference is None:
        return "n/a"
    first, second = (ours, theirs) if difference.mean > 0 else (theirs, ours)
    turned = orders and orders.chance(first, second, group.task, group.teacher, group.budget)
    return difference.points + (" †" if turned and turned > DECIDED else "")


def _of_search(group: Group, cells: Cells, rows: list[list[Cell]], orders: Orders | None) -> Iterator[str]:
    """What the search of the hyper-parameters decides, and what it left at an end of its axis."""
    if any("†" in cell.text for row in rows for cell in row):
        yield "†: another search of the same size would turn this order round in more than 5 of 100 cases."
    if orders is None:
        return
    where = group.task, group.teacher, group.budget
    if others := [method for method in cells if not orders.searched(method, *where)]:
        told = "all rows" if len(others) == len(cells) else ", ".join(others)
        yield f"Not chosen by the suite's search, but by an earlier one or by default: the hyper-parameters of {told}."
    if absent := _unsearched(group, cells, orders):
        yield f"Not in the table, since their hyper-parameters were not searched here: {', '.join(absent)}."
    found = {method: orders.edges(method, *where) for method in cells}
    if any(found.values()):
        told = "; ".join(f"{method} {', '.join(names)}" for method, names in found.items() if names)
        yield f"Chosen at an end of an axis, beyond which the search did not go: {told}."


def _unsearched(group: Group, cells: Cells, orders: Orders) -> list[str]:
    """Rows of the task that are absent where others are of today's search, and that it has not chosen for."""
    where = group.task, group.teacher, group.budget
    if not any(orders.searched(method, *where) for method in cells):
        return []
    long_tail = any(fact(method).long_tail for method in cells)
    rows = [row for row in rows_of(tasks.get(group.task)) if not METHODS[row].extra and row not in cells]
    return [row for row in rows if not orders.searched(row, *where) and (long_tail or not METHODS[row].long_tail)]


def _notes(task: Task, group: Group, cells: Cells) -> Iterator[str]:
    yield task.note + "."
    equal = "equally many samples shown to the student" if group.match == "samples" else "equally many real samples"
    yield (
        f"Mean ± half of the {crossed.METHOD}; Δ: paired difference in points [interval]; each step: {equal}; "
        "last step reported. Bold: the paired interval over the second best excludes zero, oracles, other students and "
        "longer schedules apart."
    )
    yield from _of_errors(group, summary.scores(cells, task.metric))
    yield from _of_rivals(cells, task.metric)
    for method in cells:
        yield from _of_method(method, group.teacher, task)
    if "teacher" in task.references:
        yield (
            "top-k: queries with a relevant passage among the first k (DPR's top-k accuracy). gap closed: of the "
            f"teacher's lead over {BASELINE}. Teacher and searches by words: one number each, on the whole test set."
        )
    if "few_shot" in (task.also or ()):
        yield f"Shots by training count: {SHOT_RULE}."
    yield from _of_runs(task, group, {method: list(finished(seeds).values()) for method, seeds in cells.items()})
    if warnings := diagnostics.of_group(cells):
        yield f"Look at these before believing their scores: {'; '.join(warnings)}."


def _of_errors(group: Group, scores: dict[str, Scores]) -> Iterator[str]:
    """What the intervals do not hold, for want of draws or of hits."""
    parts = [_estimated(found).parts for found in scores.values()]
    no_draw, no_test = any(math.isnan(one.draw) for one in parts), any(math.isnan(one.test) for one in parts)
    if no_draw and group.teacher == "same-data":
        yield "Each seed has a teacher of its own: the seeds' part of the error holds the teacher's."
    elif no_draw:
        several = any(len(found.draws) > 1 for found in scores.values())
        which = "Rows without x in the last column have one" if several else "One"
        yield f"{which} draw of the teacher: what another draw would give is not in the intervals."
    if no_test:
        yield "Not all records tell which test samples were right: where not, the test samples' error is not in the ±."


def _of_rivals(cells: Cells, metric: str) -> Iterator[str]:
    rivals = summary.contenders(cells, metric)
    if rivals and summary.validation(cells[rivals[0]], metric).units:
        shared = (
            f"; the level of its intervals is shared out over {', '.join(rivals)}, which validation does not tell apart"
        )
        peers = ", of the rows with as many steps" if len(summary.schedules(cells)) > 1 else ""
        yield f"Best rival (*): the best outside TGT on validation samples{peers}{shared if len(rivals) > 1 else ''}."
    elif rivals:
        yield f"Best rival (*): {BASELINE} stands for it, as the budget takes the validation samples."


def _of_method(method: str, teacher: str, task: Task) -> Iterator[str]:
    """What a reader must know of a row that cannot be compared like others."""
    if fact(method).is_oracle:
        seen = "real samples that else only the teacher saw" if teacher == "full" else "the student's own samples again"
        yield f"{method} sees {seen}: an oracle, not counted as a rival."
    if method not in METHODS or METHODS[method].packages:
        others = "" if "data" in task.own else ", while those of the suite's own rows were searched"
        told = f"unless `compare` searched them, its hyper-parameters are its defaults{others}"
        yield f"{method} is a custom method: {told}."


def _of_runs(task: Task, group: Group, runs: dict[str, list[Record]]) -> Iterator[str]:
    """What the finished runs have in common: the student, the size, the machine, the labeler."""
    done = [record for method, found in runs.items() if not fact(method).other_student for record in found]
    if not done:
        return
    yield f"Student: {_student(done[0])}."
    for method, found in runs.items():
        if fact(method).other_student and found:
            yield f"{method} trains another student, not counted as a rival: {_student(found[0])}."
    spec = done[0].spec
    size = task.sizes[spec.size]
    if size.few:
        yield f"Size {spec.size} has fewer examples than stated above: it shows that everything works."
    if group.teacher == "full" and size.keep_answers:
        yield "Labeler queries of the real samples are counted, but answered from a file: they take no time here."
    if spec.place:
        yield f"Runs of {spec.place}: networks compute on {spec.device}, their passes in {spec.precision}."
    if spec.processes > 1:
        yield f"Each run is the work of {spec.processes} processes, which share a step's samples."
    machines = {_machine(record.environment) for record in done if record.environment}
    if machines:
        yield f"Seconds: training alone, evaluation excluded, one thread; {'; '.join(sorted(machines))}."
    # Of a same-data teacher each seed has its own; a full one is the same for all.
    labelers = {
        (r.spec.seed, r.spec.draw): r.teachers["labeler"]["metrics"]["test"][task.metric] for r in done if r.teachers
    }
    if labelers:
        mean = sum(labelers.values()) / len(labelers)
        yield f"Labeler: {100 * mean:.1f} % {label(task.metric)} on the same test set."
    if task.own and (told := at_chance(task.at(done[0].spec.size), done[0].teachers["labeler"]["metrics"]["test"])):
        yield told


def _machine(environment: dict[str, Any]) -> str:
    """What a run's seconds are of."""
    found = f"{environment.get('cpu')}, {environment.get('cores')} cores"
    return f"{environment['gpu']} ({found})" if "gpu" in environment else found


def _student(record: Record) -> str:
    costs = record.costs
    return f"{costs['student_parameters']:,.0f} parameters, {costs['student_macs']:,.0f} multiply-adds"
