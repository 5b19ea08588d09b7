"""The rooms: imports point one way, and the files that should stay readable stay so."""

from __future__ import annotations

import ast

from benchmarks.analysis import claims as ledger
from benchmarks.core import paths
from benchmarks.records import Results
from benchmarks.registry.methods import METHODS


def imported(folder: str) -> set[str]:
    found = set()
    for path in (paths.ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.split(".")[0])
    return found


def test_imports_point_one_way():
    assert not imported("tgt") & {"baselines", "benchmarks"}
    assert "benchmarks" not in imported("baselines")


def test_tgt_stays_compact():
    assert sum(len(path.read_text().splitlines()) for path in (paths.ROOT / "tgt").glob("*.py")) < 800


def test_every_claim_of_the_ledger_names_methods_there_are():
    claims = ledger.load()
    assert {"C1", "C2", "C3", "C4", "C6"} <= {claim.id for claim in claims}
    assert all({check.better, check.worse} <= METHODS.keys() for claim in claims for check in claim.checks)


def test_every_check_of_the_ledger_is_of_runs_that_the_reference_holds():
    groups = Results.load(paths.REFERENCE / "small").groups()
    for claim in ledger.load():
        assert [one.check for one in ledger.verdicts(claim, groups) if one.outcome == "not run"] == []


def test_no_unconfirmed_number_is_printed_as_the_papers():
    assert all(claim.published == "not available" for claim in ledger.load() if claim.trust != "confirmed")
