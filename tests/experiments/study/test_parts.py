"""The parts of the study, with the bundled results."""

from transclipped.analysis.tables import BY, results
from transclipped.config import OBJECTIVE_NAMES, WITHOUT_NEGATIVES
from transclipped.experiments.study.parts import PARTS, Plan
from transclipped.training.objectives.triplet import RULES
from transclipped.ui.benchmarks import view as benchmarks_view
from transclipped.utils.files import ASSETS

STUDY = ASSETS / "study"


def test_every_part_has_a_table_and_a_section():
    kinds = {part.partition("-")[0] for part in PARTS}
    assert kinds == BY.keys() == benchmarks_view.PARTS.keys() | {"curve"}  # the curve has a separate section


def test_part_shared_uses_the_amounts_with_the_best_validation():
    trials = PARTS["shared"](Plan(out=STUDY))
    assert len({trial.key for trial in trials}) == len(trials) == 4 * 3 * 3
    assert {trial.config.loss.temperature for trial in trials} == {0.3}
    lines = [line for line in results(STUDY, "curve") if line["temperature"] == 0.3]
    for rule in ("rank", "threshold", "adaptive"):
        best = max((line for line in lines if line["rule"] == rule), key=lambda line: line["validation_map"])
        assert {trial.amount for trial in trials if trial.label == rule} == {best["amount"]}


def test_no_two_trials_of_a_part_share_a_key():
    """A key says nothing of `variant`, so that a label has to say which one it is."""
    for part, trials in PARTS.items():
        trials = trials(Plan(out=STUDY))
        distinct = {(trial.label, trial.config, trial.every_search, trial.variant) for trial in trials}
        assert len({trial.key for trial in trials}) == len(distinct) == len(trials), part
        variants = {(trial.label, trial.variant) for trial in trials}
        assert len(variants) == len({trial.label for trial in trials}), part


def test_part_objectives_compares_everything_at_equal_epochs():
    trials = PARTS["objectives"](Plan(out=STUDY))
    assert len({trial.key for trial in trials}) == len(trials) == 14 * 3
    configs = [trial.config for trial in trials]
    assert len({(config.schedule, config.quantizer, config.loss.temperature) for config in configs}) == 1
    objectives = {config.loss.objective for config in configs}
    assert objectives == set(OBJECTIVE_NAMES) and set(RULES) <= {trial.variant for trial in trials}
    for trial in trials:
        clips = trial.label.endswith(", clipped")
        assert (trial.config.clipping.rule != "none") == clips
        assert not clips or trial.config.loss.objective not in WITHOUT_NEGATIVES
