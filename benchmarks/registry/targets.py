"""What a person can ask for by name: plain data for the command line, the list and the page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """One word of the command line.

    Attributes:
        about: what it gives, in one line. command: the file of `benchmarks/commands/` that does it.
        words: what follows it ("METHOD"); such a target stands alone. Empty: it may stand beside others.
        of_all: it reads all records of a folder: --tasks and --methods can only name the files of custom ones.
    """

    about: str
    command: str
    words: str = ""
    of_all: bool = False


TARGETS = {
    "table1": Target("long-tailed image classification: all methods on fashion-lt and glyph-lt", "experiment"),
    "table2": Target("text classification with few and with all labels: movie-5, wiki-topic and trec-50", "experiment"),
    "table3": Target("dense retrieval: short descriptions and Natural Questions over summaries", "experiment"),
    "fig1": Target("a picture of generated neighbours: random and gradient-based, with both networks' classes", "fig1"),
    "fig2": Target("accuracy against labelled samples, and how many times the data distillation needs", "experiment"),
    "theory": Target("error against samples on known manifolds of d dimensions in D", "experiment"),
    "ablation-sigma": Target("TGT's accuracy against the scale of its noise, on images and text", "ablation"),
    "ablation-steps": Target("TGT's accuracy against its steps of ascent", "ablation"),
    "ablation-share": Target("TGT's accuracy against the share of generated samples in a step", "ablation"),
    "ablation-start": Target("TGT's accuracy explored around the data, class-balanced, or from the prior", "ablation"),
    "ablation-teacher": Target("TGT's accuracy by teachers of the whole pool, or of the student's data", "ablation"),
    "all": Target("tables 1 to 3 and the figures", "experiment"),
    "verify": Target("does this machine give the committed numbers? reruns a sample of them, in minutes", "verify"),
    "compare": Target("is a method (a file, or a row) better than TGT and its rivals?", "compare", "METHOD"),
    "validate": Target("check a custom method or task against the contract, in seconds", "validate", "FILE"),
    "new": Target("write a method or a task that works, to begin from", "new", "method|task NAME"),
    "throughput": Target("what a step of each method costs, by phase, against this machine's peak", "throughput"),
    "submit": Target("pack a method, its records and its page in one file, to hand on", "submit", "METHOD"),
    "report": Target("tables, figures and a page of all records, beside the reference", "report", of_all=True),
    "check": Target("are records and tables whole, and the verdict on each claim", "check", of_all=True),
    "export": Target("records as one flat table (CSV, Parquet) with its dictionary; BibTeX", "export", of_all=True),
    "tune": Target("choose hyper-parameters on validation samples (writes results/reference/SIZE/tuned.json)", "tune"),
    "data": Target("fetch and check the data sets", "data"),
    "teachers": Target("train the generators and labelers that the tables need, and measure them", "teachers"),
    "list": Target("tasks, methods and targets", "list"),
    "test": Target("run the tests (arguments go to pytest)", ""),
}  # fmt: skip
#: What `all` stands for.
ALL = ("table1", "table2", "table3", "fig1", "fig2")
