"""The tutorial notebook runs from top to bottom on bundled data, and what its text says is true.

A process executes its code cells in one namespace, as Jupyter does.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "assets" / "tutorial.ipynb"
CELLS = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]

RUNNER = """
import json, sys
cells = json.loads(open(sys.argv[1], encoding="utf-8").read())["cells"]
names = {"__name__": "__main__"}
for number, cell in enumerate(cells):
    if cell["cell_type"] == "code":
        exec(compile("".join(cell["source"]), f"cell {number}", "exec"), names)
results = {
    "maps": names["maps"], "gaps": names["gaps"], "base_rate": names["base_rate"],
    "same": float(names["spread"].same.mean()), "other": float(names["spread"].other.mean()),
    "sums": [[hit.score, sum(hit.by_codebook)] for hit in names["hits"]],
    "looked_up": names["looked_up"],
}
for key in ("share", "precision", "recall", "repulsion"):
    results[key] = [getattr(report, key) for report in names["reports"].values()]
print("RESULTS " + json.dumps(results))
"""


@pytest.fixture(scope="module")
def results() -> dict:
    """Results of the cells, executed in the notebook's folder."""
    return json.loads(execute(RUNNER, str(NOTEBOOK), folder=NOTEBOOK.parent).rpartition("RESULTS ")[2])


def execute(*arguments: str, folder: Path) -> str:
    """Standard output of Python code."""
    options = {"capture_output": True, "text": True, "encoding": "utf-8", "timeout": 600}
    process = subprocess.run([sys.executable, "-c", *arguments], cwd=folder, **options)
    assert process.returncode == 0, process.stderr[-2000:]
    return process.stdout


def test_cells_are_stored_without_outputs():
    for cell in CELLS:
        assert cell["source"], cell
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None


def test_library_is_importable_from_any_folder_of_the_repository():
    first = next("".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "code")
    for folder in (ROOT, ROOT / "assets", ROOT / "transclipped" / "analysis"):
        assert execute(f"{first}\nprint(ROOT)", folder=folder).strip() == str(ROOT)


@pytest.mark.slow
def test_false_negatives_are_more_similar_than_true_ones(results):
    assert results["same"] > results["other"] + 0.05


@pytest.mark.slow
def test_precision_is_above_chance_and_falls_as_more_is_clipped(results):
    assert sorted(results["share"]) == results["share"] and results["share"][0] > 0
    assert sorted(results["precision"], reverse=True) == results["precision"]
    assert sorted(results["recall"]) == results["recall"]
    assert min(results["precision"]) > 2 * results["base_rate"]
    assert all(after < before for before, after in results["repulsion"])


@pytest.mark.slow
def test_clipping_improves_retrieval(results):
    assert results["maps"]["adaptive"] > results["maps"]["none"] + 0.03
    assert results["gaps"]["adaptive"] > results["gaps"]["none"]


@pytest.mark.slow
def test_scores_are_sums_of_look_ups(results):
    assert all(score == pytest.approx(total, abs=1e-5) for score, total in results["sums"])
    assert results["looked_up"] == pytest.approx(results["sums"][0][0], abs=1e-5)
