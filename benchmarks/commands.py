"""What each target does, once the command line is known to be right."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from benchmarks import engine, experiments, paths, tasks, tune
from benchmarks.assets import EMOJI, FASHION, Unavailable
from benchmarks.cli import TARGETS, Options, experiments_of
from benchmarks.experiments import EXPERIMENTS, Choice
from benchmarks.methods import METHODS
from benchmarks.paths import REFERENCE
from benchmarks.progress import Progress
from benchmarks.records import Record, Store
from benchmarks.retrieval_assets import ANSWERED
from benchmarks.runs import Run
from benchmarks.text_assets import FOODS, MINILM, MOVIES, QUESTIONS, SUMMARIES

ASSETS = (FASHION, EMOJI, MOVIES, QUESTIONS, SUMMARIES, FOODS, MINILM, ANSWERED)


def run(options: Options, choice: Choice) -> int:
    """Do the targets in order; the worst exit status."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 160  # a log has no edge to fit into
    folder = options.results / choice.size
    if choice.settings:  # records of one cell with other hyper-parameters must not meet the table's
        folder = folder / "set" / ",".join(f"{name}={value}" for name, value in choice.settings)
    status = 0
    for target in experiments_of(options.targets):
        if target == "list":
            _list(console)
        elif target == "data":
            status = max(status, _data(console))
        elif target == "tune":
            status = max(status, _tune(console, options, choice))
        elif target == "teachers":
            status = max(status, _teachers(options, choice, folder, console))
        elif target == "report":
            status = max(status, _report(folder, choice, console))
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


def fill(
    runs: list[Run], folder: Path, options: Options, console: Console, teachers_only: bool = False, table=None
) -> tuple[engine.Plan, int]:
    """Run what is missing of `runs`; the plan as it stands afterwards, and the exit status."""
    store = Store(folder)
    history = Store(REFERENCE / options.size).read().values()
    plan = engine.plan(runs, store, options.jobs, history, options.retry)
    if options.plan:
        _print_plan(plan, options, console)
        return plan, 0
    if not plan.missing:
        return plan, 0
    paths.check_writable(folder)
    paths.check_writable(paths.cache())
    if plan.teachers:
        console.print(f"training {len(plan.teachers)} teacher networks, once")
        engine.train_teachers(plan, options.jobs, lambda line: console.print(f"  {line}", markup=False))
        plan = engine.plan(runs, store, options.jobs, history, options.retry)
    if teachers_only or not plan.missing:
        return plan, 0
    arrived: dict[str, Record] = dict(plan.records)
    show = None if table is None else lambda: table(dict(arrived))
    with Progress(console, len(plan.missing), plan.seconds, folder, show) as progress:

        def done(record: Record) -> None:
            arrived[record.key] = record
            progress.add(record)

        engine.run_missing(plan, store, options.jobs, done)
    plan = engine.plan(runs, store, options.jobs, history)
    failed = [record for run in plan.runs if (record := plan.record(run)) and record.status == "failed"]
    for record in failed:
        console.print(f"FAILED {record.spec.label}: {record.reason}", markup=False)
    return plan, 1 if failed else 0


def _experiment(name: str, options: Options, choice: Choice, folder: Path, console: Console) -> int:
    from benchmarks import output

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

    from benchmarks import fidelity, tables

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
    from benchmarks import neighbours

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
    from benchmarks import output, report

    for name, experiment in EXPERIMENTS.items():
        for chosen in (experiment.tasks, *((task,) for task in experiment.also)):
            if pairs := report.recorded(name, folder, chosen):
                output.write(name, pairs, {}, folder, console, output.files_of(name, set(chosen)))
    text = report.markdown(folder, REFERENCE / choice.size)
    path = folder / "report.md"
    with paths.atomic(path) as temporary:
        temporary.write_text(text)
    console.print(text, markup=False)
    console.print(f"written: {path}", markup=False)
    return 0


def _print_plan(plan: engine.Plan, options: Options, console: Console) -> None:
    groups: dict[tuple, list[int]] = {}
    missing = {id(run) for run in plan.missing}
    for run in plan.runs:
        cell = run.spec.task, run.spec.teacher, run.spec.budget, run.spec.method
        counts = groups.setdefault(cell, [0, 0])
        counts[id(run) in missing] += 1
    for (task, teacher, budget, method), (there, not_there) in groups.items():
        line = f"{task:12} {teacher:10} n={budget:<6} {method:24} recorded {there}  missing {not_there}"
        console.print(line, markup=False)
    console.print(
        f"{len(plan.runs)} cells: {plan.recorded} recorded, {len(plan.missing)} missing; "
        f"{len(plan.teachers)} teacher networks to train; about {plan.seconds / 60:.0f} min with {options.jobs} jobs"
    )


def _tune(console: Console, options: Options, choice: Choice) -> int:
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


def _list(console: Console) -> None:
    for title, rows in (
        ("targets", TARGETS),
        ("tasks", {name: task.note for name, task in tasks.TASKS.items()}),
        ("methods", {name: row.summary for name, row in METHODS.items()}),
    ):
        console.print(title, style="bold")
        for name, text in rows.items():
            console.print(f"  {name:24} {text}", markup=False)
