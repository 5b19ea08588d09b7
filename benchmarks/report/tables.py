"""From records to tables: summaries over seeds, and one neutral grid rendered for terminal, Markdown and LaTeX.

Reads records only. Nothing here trains anything.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd
from rich import box
from rich.console import Group as RichGroup
from rich.table import Table
from rich.text import Text

from benchmarks.analysis import diagnostics, stats
from benchmarks.metrics.classification import SHOT_RULE, label
from benchmarks.records.record import Record, Spec
from benchmarks.registry import tasks
from benchmarks.registry.methods import CEILINGS, METHODS, OTHER_STUDENT
from benchmarks.task import Task

METRICS = (
    "accuracy", "balanced_accuracy", "macro_f1", "coarse_accuracy", "many_shot", "medium_shot", "few_shot",
    "success_1", "success_20", "success_100", "recall_20", "mrr_10", "ndcg_10", "trivia_success_20",
)  # fmt: skip
BASELINE = "distillation"
COLUMNS = [
    "task", "teacher", "budget", "method", "metric", "n_seeds", "mean", "low", "high",
    "diff", "diff_low", "diff_high", "p",
    "rival", "rival_diff", "rival_diff_low", "rival_diff_high", "rival_p", "match",
]  # fmt: skip

#: One group of comparable rows: everything but method and seed.
Group = tuple[str, str, int, str]
#: The records of a group by method and seed; None where a run is still to come.
Cells = dict[str, dict[int, Record | None]]


def is_tgt(method: str) -> bool:
    return fact(method).is_tgt


def cells(pairs: Iterable[tuple[Spec, Record | None]]) -> dict[Group, Cells]:
    """Group records. Raises ValueError if records of different teachers would meet in one group."""
    groups: dict[Group, Cells] = {}
    teachers: dict[tuple, dict] = {}
    for spec, record in pairs:
        group = spec.task, spec.teacher, spec.budget, spec.match
        groups.setdefault(group, {}).setdefault(spec.method, {})[spec.seed] = record
        if record is not None:
            # A same-data teacher is made anew from each seed's samples; a full one serves all seeds.
            unit = (*group, spec.seed if spec.teacher == "same-data" else None)
            found = record.identity["teacher_sha256"]
            if teachers.setdefault(unit, found) != found:
                raise ValueError(
                    f"records of different teachers meet in {spec.task} ({spec.teacher}, n={spec.budget}): "
                    "they are not comparable; delete the records of one of them"
                )
    return groups


def values(seeds: dict[int, Record | None], metric: str) -> dict[int, float]:
    """A metric by seed, of the finished runs that have it."""
    found = {}
    for seed, record in seeds.items():
        if record is not None and record.status == "ok":
            value = record.metrics.get(metric)
            if value is not None:
                found[seed] = value
    return found


def references(task: Task, group: Cells) -> dict[str, dict[str, float | None]]:
    """Metrics of what needs no student (the teacher itself, searches by words), by the name of their row."""
    done = (record for seeds in group.values() for record in seeds.values() if record and record.status == "ok")
    record = next(done, None)
    if record is None or not task.references:
        return {}
    judged = record.teachers["labeler"]["metrics"]
    return {row: judged[key] for row, key in task.references.items()}


def best_rival(group: Cells, metric: str) -> str | None:
    """The method outside TGT with the highest mean, oracles and other students apart; None if none has a value."""
    means = {
        method: sum(found.values()) / len(found)
        for method, seeds in group.items()
        if (row := fact(method)).role == "rival" and not row.other_student and (found := values(seeds, metric))
    }
    return max(means, key=means.__getitem__) if means else None


def summary(groups: dict[Group, Cells], metrics: Iterable[str] = METRICS) -> pd.DataFrame:
    """Long table, one row a (group, method, metric), in fractions, with the columns `COLUMNS`."""
    rows = []
    for (task, teacher, budget, match), group in groups.items():
        for metric in metrics:
            rival = best_rival(group, metric)
            for method, seeds in group.items():
                found = values(seeds, metric)
                if not found:
                    continue
                mean = stats.interval(list(found.values()))
                row = {
                    "task": task, "teacher": teacher, "budget": budget, "method": method, "metric": metric,
                    "n_seeds": mean.n, "mean": mean.mean, "low": mean.low, "high": mean.high, "match": match,
                }  # fmt: skip
                if method != BASELINE and BASELINE in group:
                    row |= _difference(stats.paired(found, values(group[BASELINE], metric)), "diff", "p")
                if rival is not None and method != rival:
                    row |= _difference(stats.paired(found, values(group[rival], metric)), "rival_diff", "rival_p")
                    row["rival"] = rival
                rows.append(row)
            for name, judged in references(tasks.get(task), group).items():
                if (value := judged.get(metric)) is not None:
                    row = {"task": task, "teacher": teacher, "budget": budget, "method": name, "metric": metric}
                    rows.append({**row, "n_seeds": 0, "mean": value, "match": match})
    return pd.DataFrame(rows, columns=COLUMNS)


def _difference(found: stats.Difference | None, name: str, p: str) -> dict[str, float]:
    if found is None:
        return {}
    return {name: found.mean, f"{name}_low": found.low, f"{name}_high": found.high, p: found.p}


@dataclass(frozen=True)
class Cell:
    text: str
    bold: bool = False


@dataclass(frozen=True)
class Grid:
    """A table as people read it: a caption, column heads, rows of cells, and notes below."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...]

    def rich(self, width: int, notes: bool = True) -> RichGroup:
        """For a terminal of `width` columns; what does not fit is left out from the right, and that is said."""
        # Text, a space on either side, and the box's divider.
        widths = [
            3 + max(len(head), *(len(row[i].text) for row in self.rows)) for i, head in enumerate(self.heads)
        ]  # fmt: skip
        shown = max((n for n in range(2, len(widths) + 1) if sum(widths[:n]) <= width), default=2)
        table = Table(title=Text(self.title, "bold"), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        for i, head in enumerate(self.heads[:shown]):
            table.add_column(Text(head), justify="left" if i == 0 else "right", no_wrap=True)
        for row in self.rows:
            table.add_row(*(Text(cell.text, "bold" if cell.bold else "") for cell in row[:shown]))
        below = list(self.notes) if notes else []
        if shown < len(self.heads):
            below.append(f"Left out for want of width: {', '.join(self.heads[shown:])}.")
        return RichGroup(table, *(Text(note, "dim") for note in below), Text(""))

    def markdown(self) -> str:
        lines = [f"### {self.title}", "", "| " + " | ".join(self.heads) + " |"]
        lines.append("|---" + "|---:" * (len(self.heads) - 1) + "|")
        for row in self.rows:
            lines.append("| " + " | ".join(f"**{cell.text}**" if cell.bold else cell.text for cell in row) + " |")
        return "\n".join([*lines, "", *(f"{note}  " for note in self.notes), ""])

    def latex(self) -> str:
        """A table as wide as the text (needs the packages booktabs and graphicx)."""

        def text(cell: Cell) -> str:
            escaped = _escape(cell.text)
            return rf"\textbf{{{escaped}}}" if cell.bold else escaped

        frame = pd.DataFrame(
            [[text(cell) for cell in row] for row in self.rows], columns=[_escape(head) for head in self.heads]
        )
        body = frame.style.hide(axis="index").to_latex(
            hrules=True, column_format="l" + "r" * (len(self.heads) - 1), caption=_escape(self.title), position="t"
        )
        notes = r"\\ ".join(_escape(note) for note in self.notes)
        body = body.replace(r"\begin{tabular}", r"\resizebox{\textwidth}{!}{\begin{tabular}")
        body = body.replace(r"\end{tabular}", r"\end{tabular}}")
        return body.replace(r"\end{table}", rf"\par\footnotesize {notes}" + "\n" + r"\end{table}")


def _escape(text: str) -> str:
    for plain, tex in {
        "\\": r"\textbackslash ", "&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "$": r"\$",
        "±": r"$\pm$", "Δ": r"$\Delta$", "–": "--", "≥": r"$\geq$", "<": r"$<$", ">": r"$>$",
    }.items():  # fmt: skip
        text = text.replace(plain, tex)
    return text


def title(name: Group) -> str:
    """What a group is called above its tables."""
    task, teacher, budget, match = name
    told = "" if match == "samples" else f", match {match}"
    return f"{tasks.get(task).title}: {budget:,} labelled samples, teacher {teacher}{told}"


def grid(name: Group, group: Cells, beside: dict[str, dict[str, str]] | None = None) -> Grid:
    """The table of one group: accuracy, shots, paired differences, and what each method paid.

    Args:
        beside: further columns, by their heads, that stand before ours: the text of each method that has one.
    """
    others = beside or {}
    task = tasks.get(name[0])
    metric = task.metric
    rival = best_rival(group, metric)
    winner = _clear_winner(group, metric)
    needs_no_student = references(task, group)
    base = values(group.get(BASELINE, {}), metric)
    top = needs_no_student["teacher"][metric] if base and "teacher" in needs_no_student else None
    heads = ["method", *others, f"{label(metric)} %", *map(label, task.also), f"Δ {BASELINE}", "Δ best rival"]
    heads += ["gap closed %"] if top is not None else []
    heads += ["seconds", "labeler queries", "seeds"]
    rows = []
    for method, seeds in group.items():
        found = values(seeds, metric)
        row = [Cell(method + (" *" if method == rival else ""))]
        row += [Cell(column.get(method, "")) for column in others.values()]
        if not found:
            row += [Cell(_absence(seeds))] + [Cell("")] * (len(heads) - len(row) - 1)
            rows.append(tuple(row))
            continue
        row.append(Cell(_percent(stats.interval(list(found.values()))), bold=method == winner))
        for other in task.also:
            scores = list(values(seeds, other).values())
            row.append(Cell(f"{100 * sum(scores) / len(scores):.1f}" if scores else "n/a"))
        row.append(Cell(_delta(found, values(group[BASELINE], metric)) if BASELINE in group else ""))
        row.append(Cell(_delta(found, values(group[rival], metric)) if rival else ""))
        if top is not None:
            row.append(Cell(_closed(found, base, top)))
        row += [Cell(_cost(seeds, "seconds", "{:.0f}")), Cell(_cost(seeds, "labeler_queries", "{:,.0f}"))]
        row.append(Cell(_count(seeds)))
        rows.append(tuple(row))
    for other, judged in needs_no_student.items():
        known = [judged.get(score) for score in (metric, *task.also)]
        texts = [other, *([""] * len(others)), *("n/a" if score is None else f"{100 * score:.1f}" for score in known)]
        rows.append(tuple(Cell(text) for text in [*texts, *[""] * (len(heads) - len(texts))]))
    return Grid(
        title=title(name),
        heads=tuple(heads),
        rows=tuple(rows),
        notes=tuple(_notes(task, group, name[1], name[3])),
    )


def _notes(task: Task, group: Cells, teacher: str, match: str) -> Iterable[str]:
    yield task.note + "."
    equal = "equally many samples shown to the student" if match == "samples" else "equally many real samples"
    yield (
        f"Mean ± half of the {stats.METHOD}; Δ: paired difference in points [interval]; each step: {equal}; "
        "last step reported. * best rival outside TGT. Bold: paired interval over the second best excludes zero."
    )
    for oracle in (method for method in group if fact(method).is_oracle):
        seen = "real samples that else only the teacher saw" if teacher == "full" else "the student's own samples again"
        yield f"{oracle} sees {seen}: an oracle, not counted as a rival."
    if "teacher" in task.references:
        yield (
            "top-k: queries with a relevant passage among the first k (DPR's top-k accuracy). gap closed: of the "
            f"teacher's lead over {BASELINE}. Teacher and searches by words: one number each, on the whole test set."
        )
    for method in group:
        if method not in METHODS or METHODS[method].packages:
            yield (
                f"{method} comes from outside: unless `compare` searched them, its hyper-parameters are its defaults, "
                "while those of the suite's own rows were searched."
            )
    if "few_shot" in task.also:
        yield f"Shots by training count: {SHOT_RULE}."
    finished = {
        method: [r for r in seeds.values() if r is not None and r.status == "ok"] for method, seeds in group.items()
    }
    done = [record for method, found in finished.items() if not fact(method).other_student for record in found]
    if done:
        costs = done[0].costs
        yield f"Student: {costs['student_parameters']:,.0f} parameters, {costs['student_macs']:,.0f} multiply-adds."
        for method in group:
            if fact(method).other_student and finished[method]:
                costs = finished[method][0].costs
                yield (
                    f"{method} trains another student, not counted as a rival: {costs['student_parameters']:,.0f} "
                    f"parameters, {costs['student_macs']:,.0f} multiply-adds."
                )
        size = task.sizes[done[0].spec.size]
        if size.examples:
            yield f"Size {done[0].spec.size} has fewer examples than told above: it shows that all of it works."
        if teacher == "full" and size.keep_answers:
            yield "Labeler queries of the real samples are counted, but answered from a file: they take no time here."
        machines = {f"{e.get('cpu')}, {e.get('cores')} cores" for e in (r.environment for r in done) if e}
        if machines:
            yield f"Seconds: training alone, evaluation excluded, one thread; {'; '.join(sorted(machines))}."
        # Of a same-data teacher each seed has its own; a full one is the same for all.
        labelers = {r.spec.seed: r.teachers["labeler"]["metrics"]["test"][task.metric] for r in done if r.teachers}
        if labelers:
            mean = sum(labelers.values()) / len(labelers)
            yield f"Labeler: {100 * mean:.1f} % {label(task.metric)} on the same test set."
    if alarms := diagnostics.alarmed(group):
        yield f"Look at these before believing their scores: {'; '.join(alarms)}."


def _clear_winner(group: Cells, metric: str) -> str | None:
    """The best method, if its paired interval over the second best excludes zero."""
    scored = {method: found for method, seeds in group.items() if (found := values(seeds, metric))}
    order = sorted(scored, key=lambda method: -sum(scored[method].values()) / len(scored[method]))
    if len(order) < 2:
        return None
    difference = stats.paired(scored[order[0]], scored[order[1]])
    return order[0] if difference and difference.n > 1 and difference.low > 0 else None


def _absence(seeds: dict[int, Record | None]) -> str:
    failed = [record for record in seeds.values() if record is not None]
    return f"FAILED: {failed[0].reason}" if failed else "not run"


def _count(seeds: dict[int, Record | None]) -> str:
    good = sum(record is not None and record.status == "ok" for record in seeds.values())
    failed = sum(record is not None and record.status == "failed" for record in seeds.values())
    return f"{good}" if good == len(seeds) else f"{good}/{len(seeds)}" + (f", {failed} FAILED" if failed else "")


def column(group: Cells, metric: str) -> dict[str, str]:
    """A metric of each method in a group, in per cent with its interval, as a column of another table."""
    scored = {method: list(values(seeds, metric).values()) for method, seeds in group.items()}
    return {method: _percent(stats.interval(found)) for method, found in scored.items() if found}


def _percent(found: stats.Interval) -> str:
    return f"{100 * found.mean:.1f}" + ("" if math.isnan(found.half) else f" ± {100 * found.half:.1f}")


def _delta(ours: dict[int, float], theirs: dict[int, float]) -> str:
    if ours is theirs or ours == theirs:
        return "–"
    difference = stats.paired(ours, theirs)
    if difference is None:
        return "n/a"
    if difference.n < 2:
        return f"{100 * difference.mean:+.1f}"
    return f"{100 * difference.mean:+.1f} [{100 * difference.low:+.1f}, {100 * difference.high:+.1f}]"


def _closed(ours: dict[int, float], base: dict[int, float], top: float) -> str:
    """How much of the teacher's lead over distillation is made up for, in per cent, seed by seed."""
    shares = [(ours[seed] - base[seed]) / (top - base[seed]) for seed in ours.keys() & base.keys() if top > base[seed]]
    return f"{100 * sum(shares) / len(shares):.0f}" if shares else "n/a"


def _cost(seeds: dict[int, Record | None], name: str, form: str) -> str:
    paid = [record.costs[name] for record in seeds.values() if record is not None and record.status == "ok"]
    return form.format(sum(paid) / len(paid))


def to_csv(frame: pd.DataFrame) -> str:
    """Six decimals: more than any digit that means something, few enough that a table stays readable."""
    return frame.to_csv(index=False, float_format="%.6f", lineterminator="\n")
