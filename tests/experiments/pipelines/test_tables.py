"""Tables of measured pipelines, from files as `compare` writes them."""

import json

import pytest

from transclipped.analysis.tables import latex
from transclipped.experiments.pipelines import tables
from transclipped.experiments.pipelines.pipeline import Pipeline
from transclipped.retrieval.stages import stage

A, B = "head32 | gem", "head32 | gem | l2"


def measurement(line, value, *, seed=0, data="caltech101", database=100, **more):
    facts = {"data": data, "protocol": None, "seed": seed, "n_queries": 10, "n_database": database, "k": 20}
    measures = {"map": value, "map_r": value, "precision@10": value, "recall@K": value, "seconds_per_query": 0.002}
    return {"pipeline": str(Pipeline(line)), **facts, **measures, "bytes_per_item": 4.0, "seconds_to_fit": 1.0, **more}


@pytest.fixture
def write(tmp_path):
    def written(*lines, name="a.jsonl"):
        path = tmp_path / name
        path.write_text("\n".join(each if isinstance(each, str) else json.dumps(each) for each in lines))
        return path

    return written


def rows(*files):
    ((_, part),) = tables.groups(tables.frame(files))
    return tables.rows(part)


def test_nothing_measured_is_an_empty_table(write, tmp_path):
    assert tables.frame([]).empty and tables.frame([tmp_path / "missing.jsonl"]).empty
    assert tables.frame([write("", "no json", "[]", "{}", "null", '{"pipeline": 3, "map_r": 1}')]).empty
    assert tables.frame([write(measurement(A, 0.5, map_r=None))]).empty


def test_damaged_lines_leave_the_others(write):
    table = rows(write('{"pipeline": "head32', measurement(A, 0.5), measurement(B, "x"), '{"a": 1}'))
    assert table["map_r"].tolist() == [0.5]


def test_prefixes_stand_above_and_gains_are_over_them(write):
    long = f"{B} | pq(32) | qe(10)"
    table = rows(write(measurement(long, 0.6), measurement(f"{B} | pq(32)", 0.5), measurement(B, 0.7)))
    assert table["pipeline"].tolist() == [str(Pipeline(x)) for x in (B, f"{B} | pq(32)", long)]
    assert table["gain"].tolist()[2] == pytest.approx(0.1)
    assert table["stage"].tolist()[2] == "qe(k=10)"


def test_seeds_are_averaged_with_half_their_range(write):
    table = rows(write(*(measurement(A, value, seed=seed) for seed, value in enumerate((0.4, 0.5, 0.9)))))
    (row,) = table.to_dict("records")
    assert row["map_r"] == pytest.approx(0.6) and row["spread"] == pytest.approx(0.25) and row["n"] == 3
    assert row["ms"] == pytest.approx(2.0)


def test_one_measurement_written_twice_counts_once(write):
    table = rows(write(measurement(A, 0.4), measurement(A, 0.6)))
    assert table["map_r"].tolist() == [0.6] and "n" not in table


def test_data_sets_and_sizes_are_kept_apart(write):
    table = tables.frame(
        [write(measurement(A, 0.1), measurement(A, 0.2, database=500), measurement(A, 0.3, data="collage"))]
    )
    parts = {data: part["map_r"].tolist() for (data, _), part in tables.groups(table)}
    assert parts == {"caltech101": [0.2], "collage": [0.3]}


def test_rows_stand_below_the_line_that_they_continue_and_say_what_they_add(write):
    codes, dba, tpw = f"{B} | pq(32)", f"{B} | dba(5) | float", f"{B} | svd(8) | float"
    values = {dba: 0.6, f"{B} | float": 0.5, f"{B} | svd(4) | l2 | float": 0.9, tpw: 0.4, codes: 0.3}
    values |= {f"{dba} | flow": 0.7, f"{codes} | cprr": 0.35, A: 0.45}
    table = rows(write(*(measurement(*item) for item in values.items())))
    depth = {"": -1}
    for line, before in zip(table["pipeline"], table["before"], strict=True):
        assert before == "" or line.startswith(before.removesuffix(" | float"))
        depth[line] = depth[before] + 1  # KeyError if the line that it continues stands below
        later = table["pipeline"].tolist().index(line)
        between = table["pipeline"].tolist()[table["pipeline"].tolist().index(before) + 1 : later] if before else []
        assert all(depth[each] > depth[before] for each in between)
    added = {line: stage for line, stage in zip(table["pipeline"], table["stage"], strict=True) if depth[line]}
    assert {str(Pipeline(line)): added.get(str(Pipeline(line))) for line in values} == {
        str(Pipeline(A)): None,
        str(Pipeline(f"{B} | float")): "l2",
        str(Pipeline(dba)): "dba(k=5, alpha=0)",
        str(Pipeline(tpw)): "svd(dim=8)",
        str(Pipeline(f"{B} | svd(4) | l2 | float")): None,
        str(Pipeline(codes)): "pq(bits=32)",
        str(Pipeline(f"{codes} | cprr")): "cprr(k=20, depth=400)",
        str(Pipeline(f"{dba} | flow")): "flow(k=20, rounds=2, sharpness=0.1, components=true)",
    }


def test_re_ranking_stands_side_by_side_on_codes_and_floats_of_all_data_sets(write):
    lines = {f"{B} | float": 0.5, f"{B} | float | qe(10)": 0.6, f"{B} | pq(32)": 0.3, f"{B} | pq(32) | qe(10)": 0.5}
    lines[f"{B} | pq(32) | qe(10) | k-reciprocal"] = 0.9  # not alone
    both = rows(write(*(measurement(*item) for item in lines.items())))
    part = rows(write(measurement(f"{B} | pq(32)", 0.5), measurement(f"{B} | pq(32) | qe(10)", 0.1)))
    table = tables.reranking({"One": both, "Two": part, "Three": part.iloc[:1]})
    assert list(table) == ["Re-ranking", "One, codes", "One, floats", "Two, codes"]
    (row,) = table.to_dict("records")
    assert row["Re-ranking"] == "qe(k=10)"
    gains = (row["One, codes"], row["One, floats"], row["Two, codes"])
    assert gains == (pytest.approx(0.2), pytest.approx(0.1), pytest.approx(-0.4))


def test_lines_of_unknown_stages_are_shown_without_gain(write):
    table = rows(write(measurement(A, 0.5) | {"pipeline": "gone | stage"}))
    (row,) = table.to_dict("records")
    assert row["pipeline"] == "gone | stage" and row["gain"] != row["gain"]
    assert tables.reranking({"": table}).empty and tables.reranking({}).empty


def test_stages_that_use_labels_are_named_be_they_of_a_plug_in_or_a_branch(own_registries, write):
    @stage("vote", kind="reranking", idea="", formula="", source="", needs=("keywords",))
    def vote(hits, collection):
        return hits

    def named(*lines):
        return set(tables.label_stages(rows(write(*(measurement(line, 0.5) for line in lines)))))

    assert named(A) == set()
    assert named(A, f"{B} | vote") == named(f"rrf({B} + {A} | float | vote)") == {"vote"}
    assert named(A, f"{B} | vote", f"{A} | propagate") == {"vote", "propagate"}
    assert tables.label_stages(rows(write(measurement(A, 0.5) | {"pipeline": "gone | propagate"}))) == []


def test_latex_escapes_what_is_special():
    text = latex({"a_b": ["x & y | 5% \\ ^"], "n": [0.25]}, number=".3f")
    assert text.splitlines()[0] == r"\begin{tabular}{ll}" and text.splitlines()[2] == r"a\_b & n \\"
    assert text.splitlines()[4] == r"x \& y \textbar{} 5\% \textbackslash{} \textasciicircum{} & 0.250 \\"
