"""The tutorial notebook runs from top to bottom on bundled data, from any folder of the repository, and says the truth.

Its code cells are executed in order in one namespace of a process of their own, as Jupyter would, without needing it.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "assets" / "tutorial.ipynb"
PATIENCE = 600  # seconds; a busy machine is no failure

RUNNER = """
import json, sys
cells = json.loads(open(sys.argv[1], encoding="utf-8").read())["cells"]
names = {"__name__": "__main__"}
for number, cell in enumerate(cells):
    if cell["cell_type"] == "code":
        exec(compile("".join(cell["source"]), f"cell {number}", "exec"), names)
found = {
    "maps": names["maps"], "gaps": names["gaps"], "base_rate": names["base_rate"],
    "same": float(names["spread"].same.mean()), "other": float(names["spread"].other.mean()),
    "share": [report.share for report in names["reports"].values()],
    "precision": [report.precision for report in names["reports"].values()],
    "recall": [report.recall for report in names["reports"].values()],
    "repulsion": [report.repulsion for report in names["reports"].values()],
    "sums": [[hit.score, sum(hit.by_codebook)] for hit in names["hits"]],
    "looked_up": names["looked_up"],
}
print("FOUND " + json.dumps(found))
"""


@pytest.fixture(scope="module")
def found() -> dict:
    """What the cells computed, run from the notebook's own folder, as Jupyter does."""
    command = [sys.executable, "-c", RUNNER, str(NOTEBOOK)]
    done = subprocess.run(
        command, cwd=NOTEBOOK.parent, capture_output=True, text=True, encoding="utf-8", timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.rpartition("FOUND ")[2])


def test_cells_are_stored_without_outputs():
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        assert cell["source"], cell
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None


def test_library_is_found_from_any_folder_of_the_repository():
    first = next(
        cell for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"
    )
    source = "".join(first["source"]) + "\nprint(ROOT)"
    for folder in (ROOT, ROOT / "assets", ROOT / "transclipped" / "analysis"):
        done = subprocess.run([sys.executable, "-c", source], cwd=folder, capture_output=True, text=True, timeout=60)
        assert done.stdout.strip() == str(ROOT), done.stderr


@pytest.mark.slow
def test_false_negatives_are_more_similar_than_true_ones(found):
    assert found["same"] > found["other"] + 0.05


@pytest.mark.slow
def test_clipping_guesses_better_than_chance_and_worse_the_more_it_clips(found):
    assert sorted(found["share"]) == found["share"] and found["share"][0] > 0
    assert sorted(found["precision"], reverse=True) == found["precision"]
    assert sorted(found["recall"]) == found["recall"]
    assert min(found["precision"]) > 2 * found["base_rate"]
    assert all(after < before for before, after in found["repulsion"])


@pytest.mark.slow
def test_clipping_makes_retrieval_better(found):
    assert found["maps"]["adaptive"] > found["maps"]["none"] + 0.03
    assert found["gaps"]["adaptive"] > found["gaps"]["none"]


@pytest.mark.slow
def test_scores_are_sums_of_look_ups(found):
    assert all(score == pytest.approx(total, abs=1e-5) for score, total in found["sums"])
    assert found["looked_up"] == pytest.approx(found["sums"][0][0], abs=1e-5)
