"""Lines of pipelines: one canonical form, and one sentence for each mistake."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import registries_restored
from transclipped.errors import InputError
from transclipped.retrieval import line as lines
from transclipped.retrieval.line import ACCEPTED, parse
from transclipped.retrieval.stages import STAGES, stage


@pytest.fixture(autouse=True, scope="module")
def toys():
    """Stages of known options, beside the real ones."""
    lines.load_methods()
    facts = {"idea": "", "formula": "", "source": ""}
    with registries_restored():
        stage("toy-maps", kind="features", gives="maps", **facts)(lambda images, *, size=0: None)
        stage("toy-vectors", kind="features", **facts)(lambda images: None)
        stage("toy-filter", kind="filter", bounds={"keep": (0, 1)}, **facts)(lambda maps, *, keep=0.5: maps)
        stage("toy-pool", kind="aggregation", bounds={"p": (1, 100)}, **facts)(lambda maps, *, p=3.0: maps)
        bounds = {"dim": (1, 4096), "mode": ("a", "b-c")}
        stage("toy-map", kind="transform", bounds=bounds, **facts)(
            lambda vectors, *, dim=128, mode="a", centre=True, power=None: vectors
        )
        stage("toy-move", kind="augmentation", bounds={"k": (1, 50)}, **facts)(lambda v, n, *, k=10: v)
        stage("toy-code", kind="coding", bounds={"bits": (8, 64)}, **facts)(lambda vectors, *, bits=32: vectors)
        stage("toy-run", kind="coding", **facts)(lambda vectors, *, name, bits=32: vectors)
        stage("toy-rank", kind="reranking", bounds={"k": (1, 50)}, **facts)(lambda hits, c, *, k=10: hits)
        stage("toy-fuse", kind="fusion", **facts)(lambda hits, collections, *, beta=-1.0: hits)
        yield


VALUES = {
    "size": st.integers(0, 500),
    "keep": st.floats(0, 1),
    "p": st.floats(1, 100),
    "dim": st.integers(1, 4096),
    "mode": st.sampled_from(["a", "b-c"]),
    "centre": st.booleans(),
    "power": st.one_of(st.none(), st.floats(-1e30, 1e30)),
    "k": st.integers(1, 50),
    "bits": st.integers(8, 64),
    "beta": st.floats(-1e22, 1e22),
    "name": st.sampled_from(["mine", "runs/a-b", "../x.y", "~/r_1"]),
}
SPACE = st.sampled_from(["", " ", "  ", "\t"])


def words(value):
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "none"}[value]
    return value if isinstance(value, str) else repr(value)


@st.composite
def step(draw, name):
    """Text of a stage, and the options that it means."""
    options = STAGES[name].options
    free = [option for option in options if option != "name"]
    positional = draw(st.integers(0, len(free)))
    rest = draw(st.permutations(free[positional:]))
    rest = rest[: draw(st.integers(0, len(rest)))]
    given = {option: draw(VALUES[option]) for option in [*free[:positional], *rest]}
    space = draw(SPACE)
    parts = [words(given[option]) for option in free[:positional]]
    parts += [f"{option}{space}={space}{words(given[option])}" for option in rest]
    if "name" in options:
        given["name"] = draw(VALUES["name"])
    argument = f":{given['name']}" if "name" in options else ""
    text = f"{name}{argument}{space}({f'{space},{space}'.join(parts)})" if parts else name + argument
    return text, {option: given.get(option, default) for option, default in options.items()}


@st.composite
def branch(draw):
    """Text of a branch, and (name, options) of its steps."""
    maps = draw(st.booleans())
    names = ["toy-maps", *["toy-filter"] * draw(st.integers(0, 2)), "toy-pool"] if maps else ["toy-vectors"]
    names += ["toy-map"] * draw(st.integers(0, 3)) + ["toy-move"] * draw(st.integers(0, 1))
    code = draw(st.sampled_from(["", "toy-code", "toy-run"]))
    names += [code] * bool(code)
    steps = [(name, *draw(step(name))) for name in names]
    after = [("toy-rank", *draw(step("toy-rank"))) for _ in range(draw(st.integers(0, 2)))]
    expected = [(name, options) for name, _, options in steps]
    expected += [] if code else [("float", {})]
    separator = f"{draw(SPACE)}|{draw(SPACE)}"
    return separator.join(text for _, text, _ in [*steps, *after]), expected + [(n, o) for n, _, o in after]


def meaning(line):
    return [(step.name, dict(step.options)) for step in line.steps]


@given(branch())
@settings(max_examples=200, deadline=None)
def test_canonical_form_means_the_same_and_is_a_fixed_point(drawn):
    text, expected = drawn
    line = parse(text)
    assert meaning(line) == expected
    assert meaning(parse(str(line))) == expected and str(parse(str(line))) == str(line)


@given(st.lists(branch(), min_size=2, max_size=3), step("toy-fuse"), st.lists(step("toy-rank"), max_size=2))
@settings(max_examples=60, deadline=None)
def test_fused_branches_keep_their_meaning(branches, fuse, after):
    text, options = fuse
    inside = text.partition("(")[2].removesuffix(")")
    joined = " + ".join(branch for branch, _ in branches)
    line = parse(" | ".join([f"toy-fuse({joined}{', ' if inside else ''}{inside})", *(t for t, _ in after)]))
    for once in (line, parse(str(line))):
        assert [meaning(each) for each in once.steps[0].branches] == [expected for _, expected in branches]
        assert dict(once.steps[0].options) == options and len(once.steps) == 1 + len(after)
    assert str(parse(str(line))) == str(line)


@given(st.text(alphabet="toy-map|l2(),=+: 3.e", max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_parses_or_is_refused_in_one_line(text):
    try:
        line = parse(text)
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert str(parse(str(line))) == str(line)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("toy-vectors |", "empty"),
        ("| toy-vectors", "empty"),
        ("toy-vectors || float", "empty"),
        ("x" * 100_000, "100,000"),
        ("(" * 4000, "bracket"),
        ("toy-vectors | toy-map(3", "bracket"),
        ("toy-vectors | toy-map 3)", "bracket"),
        ("toy-vectors | toy-mapp", "did you mean toy-map"),
        ("toy-vectors | toy-code | toy-code", "toy-rank"),
        ("toy-vectors | toy-code | toy-map", "toy-rank"),
        ("toy-vectors | toy-rank | toy-code", "toy-rank"),
        ("toy-vectors | toy-move | toy-map", "toy-code"),
        ("toy-vectors | toy-pool", "toy-map"),
        ("toy-maps | toy-map", "toy-pool"),
        ("toy-maps | toy-pool | toy-pool", "toy-map"),
        ("toy-maps | toy-filter", "toy-pool"),
        ("toy-rank", "toy-vectors"),
        ("toy-map | toy-vectors", "toy-map"),
        ("toy-vectors | toy-map(0)", "from 1 to 4096"),
        ("toy-vectors | toy-map(99999999999999999999999999999999999999999999999999)", "whole number"),
        ("toy-vectors | toy-map(dim=1.5)", "whole number"),
        ("toy-vectors | toy-map(dim=nan)", "whole number"),
        ("toy-vectors | toy-map(power=inf)", "number"),
        ("toy-vectors | toy-map(mode=z)", "a, b-c"),
        ("toy-vectors | toy-map(centre=maybe)", "true or false"),
        ("toy-vectors | toy-map(dim=3, dim=4)", "twice"),
        ("toy-vectors | toy-map(3, dim=4)", "twice"),
        ("toy-vectors | toy-map(dim=3, a)", "positional"),
        ("toy-vectors | toy-map(1, a, true, 1, 5)", "does not take"),
        ("toy-vectors | toy-map(size=3)", "dim"),
        ("toy-vectors | toy-map:x", "colon"),
        ("toy-vectors | toy-run", "toy-run:NAME"),
        ("toy-vectors | toy-run(name=x)", "name"),
        ("toy-fuse(toy-vectors)", "two or more"),
        ("toy-fuse", "two or more"),
        ("toy-fuse(toy-vectors + )", "empty"),
        ("toy-vectors | toy-fuse(toy-vectors + toy-vectors)", "first"),
        ("toy-fuse(toy-vectors + toy-vectors) | toy-fuse(toy-vectors + toy-vectors)", "first|toy-rank"),
        ("toy-fuse(toy-fuse(toy-vectors + toy-vectors) + toy-vectors)", "without fusions"),
        ("toy-vectors | toy-map(", "bracket"),
        ("toy\nmap", "not a stage"),
    ],
)
def test_mistakes_are_named_in_one_line(text, named):
    with pytest.raises(InputError, match=named) as caught:
        parse(text)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 2000


def test_a_wrong_chain_names_every_stage_that_fits():
    with pytest.raises(InputError) as caught:
        parse("toy-vectors | toy-pool")
    fitting = {name for name, each in STAGES.items() if each.kind in ACCEPTED["vectors"]}
    assert set(str(caught.value).partition("that do: ")[2].split(", ")) == fitting


def test_prefixes_rank_and_end_with_the_line():
    line = parse("toy-maps | toy-pool | toy-map | toy-code | toy-rank")
    prefixes = list(line.prefixes())
    assert [stage for _, stage in prefixes] == ["toy-pool", "toy-map", "toy-code", "toy-rank"]
    assert prefixes[-1][0] == line and str(prefixes[0][0]) == "toy-maps(size=0) | toy-pool(p=3) | float"
    assert [str(parse(str(prefix))) for prefix, _ in prefixes] == [str(prefix) for prefix, _ in prefixes]
    explicit = list(parse("toy-vectors | float | toy-rank").prefixes())
    assert [stage for _, stage in explicit] == ["toy-vectors", "toy-rank"]  # `float` adds nothing
    fused = parse("toy-fuse(toy-vectors | toy-code + toy-vectors) | toy-rank")
    assert [stage for _, stage in fused.prefixes()] == ["toy-code", "float", "toy-fuse", "toy-rank"]


def test_presets_parse_and_a_preset_without_its_stages_is_not_listed(monkeypatch):
    monkeypatch.setitem(lines.PRESETS, "mine", "toy-vectors | l2")
    monkeypatch.setitem(lines.PRESETS, "other", "no-such-stage | l2")
    assert str(parse("mine")) == lines.presets()["mine"] == "toy-vectors | l2 | float"
    assert "other" not in lines.presets()
