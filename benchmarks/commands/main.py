"""What each target does, once the command line is known to be right."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from benchmarks.analysis import ablation
from benchmarks.commands import compare, throughput, validate
from benchmarks.commands import new as templates
from benchmarks.commands.options import TARGETS, BadInput, Options, experiments_of
from benchmarks.core import paths
from benchmarks.core.paths import REFERENCE
from benchmarks.data.asset import EMOJI, FASHION, Unavailable
from benchmarks.data.questions import ANSWERED
from benchmarks.data.texts import FOODS, MINILM, MOVIES, QUESTIONS, SUMMARIES
from benchmarks.registry import experiments, tasks
from benchmarks.registry.experiments import EXPERIMENTS, Choice
from benchmarks.registry.methods import METHODS
from benchmarks.report import export
from benchmarks.runs import search as tune
from benchmarks.runs.fill import fill
from benchmarks.runs.run import Run

ASSETS = (FASHION, EMOJI, MOVIES, QUESTIONS, SUMMARIES, FOODS, MINILM, ANSWERED)


def run(options: Options, choice: Choice) -> int:
    """Do the targets in order; the worst exit status."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 160  # a log has no edge to fit into
    folder = options.results / choice.size
    choice = replace(choice, tuned=tune.read(folder))
    words = options.targets
    if words[0] == "compare":
        return compare.run(words[1], options, choice, folder, console)
    if words[0] == "validate":
        return validate.run(words[1], console)
    if words[0] == "new":
        return templates.run(words[1], words[2], console)
    whole, folder = folder, paths.of_settings(folder, choice.settings)
    status = 0
    for target in experiments_of(options.targets):
        if target in ablation.ABLATIONS:
            status = max(status, ablation.run(target, options, choice, whole, console))
        elif target == "list":
            _list(console)
        elif target == "data":
            status = max(status, _data(console))
        elif target == "tune":
            status = max(status, _tune(console, options, choice))
        elif target == "teachers":
            status = max(status, _teachers(options, choice, folder, console))
        elif target == "report":
            status = max(status, _report(folder, choice, console))
        elif target == "export":
            written = export.write(whole)
            console.print("written: " + ", ".join(str(path) for path in written), markup=False)
        elif target == "throughput":
            status = max(status, throughput.run(options, choice, folder, console))
        elif target == "check":
            status = max(status, _check(folder, choice, console))
        elif target == "fig1":
            status = max(status, _neighbours(options, choice, folder, console))
        elif target in EXPERIMENTS:
            status = max(status, _experiment(target, options, choice, folder, console))
    return status


def available(names: list[str], choice: Choice, console: Console) -> tuple[list[Run], dict[str, str]]:
    """The runs of experiments, and for tasks whose data cannot be had, the reason."""
    runs: list[Run] = []
    absent: dict[str, str] = {}
    for name in names:
        for task in choice.tasks or EXPERIMENTS[name].tasks:
            one = Choice(**{**vars(choice), "tasks": (task,)})
            try:
                runs += experiments.grid(name, one)
            except Unavailable as error:
                absent[task] = str(error)
                console.print(f"task {task} is unavailable: {error}", markup=False)
    return runs, absent


def _experiment(name: str, options: Options, choice: Choice, folder: Path, console: Console) -> int:
    from benchmarks.report import artefacts as output

    runs, absent = available([name], choice, console)
    plan, status = fill(runs, folder, options, console, table=lambda records: output.live(console, runs, records))
    if not options.plan:
        files = output.files_of(name, {run.spec.task for run in plan.runs})
        output.write(name, [(run.spec, plan.record(run)) for run in plan.runs], absent, folder, console, files)
    return status


def _teachers(options: Options, choice: Choice, folder: Path, console: Console) -> int:
    runs, _ = available(list(EXPERIMENTS), choice, console)
    _, status = fill(runs, folder, options, console, teachers_only=True)
    if options.plan:
        return status
    import pandas as pd

    from benchmarks.report import tables
    from benchmarks.report import teacher_quality as fidelity

    paths.check_writable(folder)
    # One run for each pair of networks is enough: methods share them, and seeds do where the teacher is full.
    pairs = {tuple(recipe.path for recipe in run.recipes.values()): run for run in reversed(runs)}
    frame = pd.concat([fidelity.judge(run) for run in reversed(pairs.values())])
    for line in fidelity.lines(frame):
        console.print(line, markup=False)
    if (folder / "teachers.csv").exists():  # what was judged before of other tasks and kinds of teacher stays
        before = pd.read_csv(folder / "teachers.csv")
        judged = set(zip(frame.task, frame.teacher, strict=True))
        keep = [pair not in judged for pair in zip(before.task, before.teacher, strict=True)]
        frame = pd.concat([before[keep], frame])
    with paths.atomic(folder / "teachers.csv") as temporary:
        temporary.write_text(tables.to_csv(frame))
    console.print(f"written: {folder / 'teachers.csv'}", markup=False)
    return status


def _neighbours(options: Options, choice: Choice, folder: Path, console: Console) -> int:
    from benchmarks.report import neighbours

    for name in choice.tasks or ("fashion-lt", "emoji-lt", "movie-5", "wiki-titles"):
        try:
            run = neighbours.run_of(name, choice.size)
            fill([run], folder, options, console, teachers_only=True)
        except Unavailable as error:
            console.print(f"task {name} is unavailable: {error}", markup=False)
            continue
        if not options.plan:
            written = neighbours.draw(run, folder / f"fig1-{name}")
            console.print("written: " + ", ".join(str(path) for path in written), markup=False)
    return 0


def _report(folder: Path, choice: Choice, console: Console) -> int:
    from benchmarks.analysis import aggregate, diagnostics
    from benchmarks.analysis import time_to_accuracy as price
    from benchmarks.report import artefacts as output
    from benchmarks.report import html as html_report
    from benchmarks.report import reproduction as report
    from benchmarks.report import tables

    records = report.latest(folder)
    if not records:
        there = REFERENCE / choice.size / "report.md"
        more = f"; the committed reference's report is {there}" if there.exists() else ""
        raise BadInput(f"{folder} holds no records to report{more}")
    unknown = Counter(record.spec.task for record in records if not tasks.known(record.spec.task))
    for task, count in unknown.items():
        console.print(f"left out: {count} records of {task}, no task here; name its file with --tasks", markup=False)
    for name, experiment in EXPERIMENTS.items():
        for chosen in (experiment.tasks, *((task,) for task in experiment.also)):
            if pairs := report.recorded(name, folder, chosen):
                output.write(name, pairs, {}, folder, console, output.files_of(name, set(chosen)))
    for target in ablation.ABLATIONS:
        ablation.write(target, folder, choice)
    groups = report.cells(folder)
    aggregate.write(groups, folder)
    seen = diagnostics.frame(groups)
    if len(seen):
        with paths.atomic(folder / "diagnostics.csv") as temporary:
            temporary.write_text(tables.to_csv(seen))
    paid = price.price(groups)
    if len(paid):
        with paths.atomic(folder / "price.csv") as temporary:
            temporary.write_text(tables.to_csv(paid))
        with paths.atomic(folder / "price.md") as temporary:
            temporary.write_text("\n".join([*price.HEAD, *price.markdown(paid)]))
    text = report.markdown(folder, REFERENCE / choice.size)
    path = folder / "report.md"
    with paths.atomic(path) as temporary:
        temporary.write_text(text)
    console.print(text, markup=False)
    whose = "the reference" if folder.resolve() == (REFERENCE / choice.size).resolve() else "your results"
    with paths.atomic(folder / "index.html") as temporary:
        temporary.write_text(html_report.page(folder, f"TGT suite: {whose}"))
    console.print(f"written: {path}, {folder / 'index.html'}", markup=False)
    return 0


def _tune(console: Console, options: Options, choice: Choice) -> int:
    for name in choice.tasks:
        if (other := tasks.get(name).tuned_on) != name:
            raise BadInput(f"tune: {name} takes what {other} chose; a search of its own would be read nowhere")
    runs = experiments.search(choice)
    folder = REFERENCE / choice.size / "tuning"
    plan, status = fill(runs, folder, options, console)
    if options.plan:
        return 0
    chosen = tune.choose(plan)
    for line in tune.lines(chosen):
        console.print(line, markup=False)
    console.print(f"written: {tune.write(chosen, REFERENCE / choice.size)}")
    return status


def _data(console: Console) -> int:
    status = 0
    for asset in ASSETS:
        try:
            arrays = asset.load()
            size = sum(array.nbytes for array in arrays.values()) / 2**20
            console.print(f"{asset.name}: {size:.0f} MB decoded; {asset.licence}; {asset.origin}", markup=False)
        except RuntimeError as error:
            console.print(f"{asset.name}: {error}", markup=False)
            status = 1
    return status


def _check(folder: Path, choice: Choice, console: Console) -> int:
    """Verdicts and faults of the committed reference, and of one's own records where there are any."""
    from benchmarks.analysis import claims as ledger
    from benchmarks.report import audit as check
    from benchmarks.report import reproduction as report

    status, looked = 0, 0
    for where in dict.fromkeys((REFERENCE / choice.size, folder)):
        if not (held := len(report.latest(where))):
            if where == folder and folder.parent != paths.LOCAL:
                raise BadInput(f"{folder} holds no records to check")
            continue
        looked += 1
        console.print(f"{where}: {held} records", markup=False, style="bold")
        found = list(check.problems(where, choice.size))
        for problem in found:
            mark = "WRONG" if problem.wrong else "note "
            count = f" ({problem.count} records)" if problem.count > 1 else ""
            console.print(f"  {mark} {problem.told}{count}", markup=False)
            status |= problem.wrong
        if not any(problem.wrong for problem in found):
            console.print("  records and tables are whole, and of today's code", markup=False)
        try:
            groups = report.cells(where)
        except ValueError:
            continue  # mixed teachers: told above, and nothing is said of claims by them
        for claim in ledger.load():
            outcome, told = ledger.overall(claim, groups)
            console.print(f"  {claim.id}: {outcome.upper()} ({told}). {claim.claim}", markup=False)
    if not looked:
        raise BadInput(f"there are no records of size {choice.size} to check")
    return int(status)


def _list(console: Console) -> None:
    for title, rows in (
        ("targets", TARGETS),
        ("tasks", {name: task.note for name, task in tasks.TASKS.items()}),
        ("methods", {name: row.about for name, row in METHODS.items()}),
    ):
        console.print(title, style="bold")
        for name, text in rows.items():
            console.print(f"  {name:24} {text}", markup=False)
