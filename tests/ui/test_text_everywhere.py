"""All foreign text that the app renders as Markdown or Plotly's HTML goes through `ui.text`.

The check reads the source: a rendered argument must consist of constants, numbers and calls of `plain` or `for_plotly`.
REVIEWED lists the exceptions that it cannot judge, with the reason.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "app.py", *sorted((ROOT / "pages").rglob("*.py")), *sorted((ROOT / "transclipped/ui").rglob("*.py"))]
FIRST = """badge button camera_input caption checkbox download_button error exception expander file_uploader
    form_submit_button header info link_button markdown multiselect number_input popover say select_slider selectbox
    slider spinner status subheader success tabs text_area text_input title toast toggle warning write"""
MARKDOWN = dict.fromkeys(FIRST.split(), (0,))  # positions of arguments rendered as Markdown, besides MARKDOWN_NAMES
MARKDOWN |= {"metric": (0, 1, 2), "page_link": (), "progress": (1,)}
MARKDOWN |= {"pills": (0, 1), "radio": (0, 1), "segmented_control": (0, 1)}
MARKDOWN_NAMES = {"body", "label", "help", "text", "delta", "value", "options", "captions"}
PLOTLY = """Bar Heatmap Scatter Scattergl add_annotation add_bar add_hline add_scatter add_vline make_subplots
    set_layout"""
PLOTLY_NAMES = {"name", "text", "annotation_text", "hovertemplate", "subplot_titles", "title", "labels"}
ESCAPED = {"plain", "for_plotly", "term"}
NUMBERS = {"int", "float", "len", "round", "sum", "min", "max", "abs", "bool", "range"}
OURS = {"share", "size", "milliseconds", "duration", "time_left", "label_sentence"}  # contain numbers at most
TRANSPARENT = {"list", "tuple", "map", "sorted", "filter", "enumerate"}
TYPES = "bcdeEfFgGn%,"  # of format specifications for numbers
REVIEWED = {  # "<path>.<function>: <expression>": why the expression is safe
    **dict.fromkeys(
        (
            "anatomy/network.patches: anatomy_cached.model(run.fingerprint, run).microscope.backbone.image_size",
            "codebooks/sections.cost: run.fingerprint",
            "retrieval/hits.grid: codes.shape[1]",
            "light.ready: _quality()",
            "light.ready: job.result.size",
            "pipeline/light._explore: light.replaced(before, after)",
            "retrieval/light._explore: _replaced(before, hits)",
            "retrieval/controls._stored: _query_number(target, more)",
            "retrieval/cost._times: times.k",
            "datasets/content.sizes: about['k']",
            "clipping/tune.effects: f'{after - before:+.1f} points'.replace('-', '−')",
            "clipping/tune.effects: f'{loss - unclipped:+.3f}'.replace('-', '−')",
            "retrieval/query.tiles: hit.rank",
            "retrieval/sections.lengths: target.run.config.quantizer.bits",
            "retrieval/sections.one_length: _mean(run, 'asymmetric')",
            "retrieval/sections.one_search: _mean(target.run, mode)",
            "retrieval/sections.one_length: other.searcher.index.codes.shape[1]",
            "shell._neighbours: next((i for i, other in enumerate(pages) if other.url_path == page.url_path), 0)",
            "pipeline/flow._parts: number",
            "pipeline/select._explore: rankers.k",
            "pipeline/select.scatter: rankers.k",
            "train/live._draw_queue: number",
        ),
        "a number",
    ),
    "embeddings/controls._choice: options": "names of letters, digits, dots, dashes and spaces alone",
    **dict.fromkeys(
        (
            "anatomy/network._select: label",
            "anatomy/network._select: str",
            "anatomy/html.heading: sentence",
            "presenting.controls: label",
            "presenting.say: sentence",
            "glossary.caption: prose(text)",
            "glossary.markdown: text",
            "components/steps.buttons: steps[step]",
            "benchmarks/curves.draw: _figure(kind, metrics, search)",
            "codebooks/charts.heatmap: hover",
            "clipping/charts._points: hover",
            "clipping/charts._points: name",
            "clipping/charts.by_negative: name",
            "datasets/content.class_counts: role",
            "datasets/content.sizes: name",
            "datasets/content.sizes: meaning",
            "datasets/content.sizes: value",
            "datasets/sections._draw_report: title",
            "clipping/suggestions._row: name",
            "clipping/tune.effects: _left(view)",
            "clipping/sweep._start: sweep_origin.hide",
            "clipping/sweep._start: sweep_origin.show",
            "benchmarks/curves._downloads: label",
            "benchmarks/field._downloads: label",
            "benchmarks/uair.draw: verdict(rounds)",
            "benchmarks/pipelines._downloads: label",
            "pipeline/select.scatter: name",
            "pipeline/view._of_query: sayings.sentence(section, rungs)",
            "embeddings/controls._choice: help",
            "embeddings/controls._choice: label",
            "embeddings/controls._search: label",
            "overview/sections._page: label",
            "overview/sections._page: text",
            "overview/sections.results: _gain(run, mode['map'])",
            "tour.draw: step.name",
            "tour.draw: step.text",
            "tour._link: label",
            "codebooks/sections.overlap: verdict(result)",
            "codebooks/sections.overlap: in_words(result.share)",
            "retrieval/hits.beside: explain",
            "retrieval/hits.beside: partial(address.search_with, target)",
            "retrieval/queries.extremes: name",
            "retrieval/light._explore: name",
            "pipeline/light._explore: name",
            "pipeline/masks._excited: name",
            "pipeline/masks.bars: name",
            "label_note.draw: subject",
            "reasons.draw: sentence(facts)",
            "codebooks/hashes.draw: reasons.draw(facts, key='tree', examples=examples)",
            "anatomy/code.score: other_codes.draw(run, by, unit, hit.row)",
            "pipeline/view._ready: reason",
            "retrieval/why.draw: part(m)",
            "retrieval/why.codeword_cards: part(m).replace('its cosine', 'the cosine')",
            "retrieval/sections.one_search: mode.capitalize()",
            "retrieval/sections.one_search: note",
            "shell._link: label.format(title)",
            "clipping/sweep_charts.figure: amount.symbol",
            "clipping/sweep_keep.section: label",
            "train/form._clipping_details: label",
            "train/images.limits: label",
            "train/network.steps: label",
        ),
        "its callers, or the loop around it, write it out, with numbers at most",
    ),
    **dict.fromkeys(
        (
            "benchmarks/view.measured: search",
            "benchmarks/charts._by_name: line[0]",
            "benchmarks/charts._by_name: panel[0]",
            "benchmarks/charts._over_numbers: value",
            "benchmarks/charts.inverted_u: value",
            "datasets/sections.protocol: images.protocols",
            "embeddings/layouts.offer: _offered(subject.items, layouts, panels)",
        ),
        "one of a few words of ours: a search, a kind of embedding, a column, a protocol, a rule with a dial",
    ),
    **dict.fromkeys(
        (
            "benchmarks/charts._by_name: name",
            "benchmarks/charts._by_name: title",
            "benchmarks/charts._over_numbers: name",
            "absent.draw: notice.text",
            "embeddings/controls.colours: map_colours.clipping(run, subject, row=row, query=query)",
            "clipping/look._draw: _explanation(steps, step)",
            "clipping/look.tuning: tune.sentence(view)",
            "clipping/suggestions._row: result",
            "clipping/sweep._draw: _about(sweep, results)",
            "names.field: label",
            "retrieval/hits.grid: sections.ties(hits, codes)",
            "line_labels._write: text",
            "line_labels._write: trace.line.color",
            "presenting.controls: label",
            "presenting.say: sentence",
            "clipping/sweep._cancel: _progress(state, len(sweep.settings()), results)",
            "train/live._curves: empty",
            "train/live._draw: in_app_words(error)",
            "train/live._draw_status: train_result.failed(run, status.get('error') or '')",
            "train/live._draw_status: train_result.of(run)",
            "train.show_runs: result.sentence(run)",
            "codebooks/codeword._codeword: sentence(table[word], names, word)",
            "retrieval.page: sayings.sentence(section, target, query, ranking)",
            "datasets/labels.section: _of_folders(images)",
            "pipeline/view._follow: _progress(job)",
            "datasets/labels.section: described(recognised)",
        ),
        "escaped where it is made, or has rules with a dial alone",
    ),
    "benchmarks/study._inverted_u: benchmarks_study.curve_rules(results)": "format_func is plain",
    "benchmarks/pipelines._downloads: {HEADINGS[column][0]: rows[column].tolist() for column in HEADINGS if column in "
    "rows}": "a file, not a page",
    "benchmarks/field._downloads: columns": "a file, not a page",
    "benchmarks/curves._markdown: view.columns(table)": "a file, not a page",
    r"overview/sections.guarantees: RELIABILITY.read_text(encoding='utf-8').partition('\n\n')[2]": "a file of ours",
    "clipping/sweep.selected: swept()": "format_func is plain",
}


def rendered(tree: ast.AST) -> Iterator[tuple[ast.Call, ast.expr]]:
    """Calls that draw, with each rendered argument."""
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        func, args = call.func, call.args
        if getattr(func, "id", "") == "ask":  # `field` of ui/train/link.py, which draws the widget that it is given
            func, args = args[0], args[1:]
        name = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
        if name in MARKDOWN and isinstance(func, ast.Attribute):
            places, names = MARKDOWN[name], MARKDOWN_NAMES - ({"value"} if name != "metric" else set())
            names = names - ({"options"} if name in ("selectbox", "multiselect", "select_slider") else set())
        elif name in PLOTLY.split():
            places, names = (1, 2) if name == "set_layout" else (), PLOTLY_NAMES
        else:
            continue
        for place in places:
            if place < len(args):
                yield call, args[place]
        yield from ((call, each.value) for each in call.keywords if each.arg in names)


class Judge:
    """Decides whether an expression can contain foreign text."""

    def __init__(self, function: ast.AST) -> None:
        self.bound: dict[str, list[ast.expr]] = {}
        for node in ast.walk(function):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    self._bind(target, node.value)
            elif isinstance(node, ast.AugAssign | ast.AnnAssign | ast.NamedExpr) and node.value is not None:
                self._bind(node.target, node.value)
        arguments = getattr(function, "args", None)
        parameters = [each for each in ast.walk(arguments) if isinstance(each, ast.arg)] if arguments else []
        self.parameters = {each.arg for each in parameters}
        self.numbers = {
            each.arg for each in parameters if getattr(each.annotation, "id", "") in ("int", "float", "bool")
        }
        self.visited: set[str] = set()

    def _bind(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self.bound.setdefault(target.id, []).append(value)
        elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            for one, other in zip(target.elts, value.elts, strict=True):
                self._bind(one, other)
        elif isinstance(target, ast.Tuple):
            for one in target.elts:
                self._bind(one, value)

    def doubts(self, node: ast.expr | None) -> Iterator[str]:
        """The smallest subexpressions that may be foreign text."""
        match node:
            case None | ast.Constant() | ast.Compare():
                pass
            case ast.Name():
                yield from self._name(node.id)
            case ast.Call():
                yield from self._call(node)
            case ast.Attribute() | ast.Subscript():
                if not _constant(node):
                    yield ast.unparse(node)
            case ast.FormattedValue():
                if not _numeric(node.format_spec):
                    yield from self.doubts(node.value)
            case ast.BinOp() if isinstance(node.op, ast.Add | ast.BitOr):
                yield from self.doubts(node.left)
                yield from self.doubts(node.right)
            case ast.BinOp():  # * and - are for numbers, or repeat text
                if not isinstance(node.op, ast.Sub):
                    yield from (text for side in (node.left, node.right) for text in self.doubts(side))
            case ast.JoinedStr() | ast.BoolOp() | ast.Dict():
                yield from (text for each in node.values for text in self.doubts(each))
            case ast.Tuple() | ast.List() | ast.Set():
                yield from (text for each in node.elts for text in self.doubts(each))
            case ast.IfExp():
                yield from self.doubts(node.body)
                yield from self.doubts(node.orelse)
            case ast.UnaryOp():
                yield from self.doubts(node.operand)
            case ast.ListComp() | ast.GeneratorExp():
                yield from self.doubts(node.elt)
            case ast.Starred():
                yield from self.doubts(node.value)
            case ast.Lambda():
                yield from self.doubts(node.body)
            case _:
                yield ast.unparse(node)

    def _name(self, name: str) -> Iterator[str]:
        if name.isupper() or len(name) == 1 or name in ESCAPED or name in self.numbers:  # m, k, n are numbers
            return
        if name in self.parameters or name not in self.bound:
            yield name
        elif name not in self.visited:
            self.visited.add(name)
            yield from (text for value in self.bound[name] for text in self.doubts(value))

    def _call(self, node: ast.Call) -> Iterator[str]:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in (*ESCAPED, *NUMBERS, *OURS) or (name in TRANSPARENT and any(_escapes(each) for each in node.args)):
            return
        if name in TRANSPARENT or name == "join":
            yield from (text for each in node.args for text in self.doubts(each))
        elif not (name == "get" and _constant(node.func.value)):
            yield ast.unparse(node)


def _escapes(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ESCAPED


def _constant(node: ast.expr) -> bool:
    """A constant, or part of one: HELP["map"], module.ABOUT[name], SCALES[rule].symbol."""
    if isinstance(node, ast.Attribute) and node.attr.isupper():
        return True
    if isinstance(node, ast.Subscript | ast.Attribute):
        return _constant(node.value)
    return isinstance(node, ast.Constant) or (isinstance(node, ast.Name) and node.id.isupper())


def _numeric(spec: ast.expr | None) -> bool:
    if not isinstance(spec, ast.JoinedStr) or not spec.values:
        return False
    last = spec.values[-1]
    return isinstance(last, ast.Constant) and str(last.value)[-1:] in TYPES


def foreign(file: Path, tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line numbers and the expressions that may be foreign text, as in REVIEWED."""
    owner: dict[int, ast.FunctionDef] = {}
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        owner.update({id(node): function for node in ast.walk(function)})  # inner functions come later and override
    for call, argument in rendered(tree):
        function = owner.get(id(call), tree)
        for doubt in Judge(function).doubts(argument):
            yield call.lineno, f"{_module(file)}.{getattr(function, 'name', '')}: {doubt}"


def _module(file: Path) -> str:
    """Path of a module as in REVIEWED: below `pages/` or `transclipped/ui/`, without its suffix."""
    return file.relative_to(ROOT).with_suffix("").as_posix().removeprefix("pages/").removeprefix("transclipped/ui/")


def every_doubt() -> list[tuple[str, str]]:
    trees = {file: ast.parse(file.read_text(encoding="utf-8")) for file in FILES}
    return [
        (f"{file.relative_to(ROOT)}:{n}", doubt) for file, tree in trees.items() for n, doubt in foreign(file, tree)
    ]


def test_every_rendered_text_is_constant_or_escaped() -> None:
    assert [f"{where} {doubt}" for where, doubt in every_doubt() if doubt not in REVIEWED] == []


def test_only_the_glossary_allows_html_in_markdown() -> None:
    files = [file for file in FILES if "unsafe_allow_html" in file.read_text(encoding="utf-8")]
    assert [file.name for file in files] == ["glossary.py"]


def test_every_review_is_still_needed() -> None:
    assert set(REVIEWED) - {doubt for _, doubt in every_doubt()} == set()


@pytest.mark.parametrize(
    ("source", "doubts"),
    [
        ("st.error(str(error))", ["str(error)"]),
        ("st.error(plain(error))", []),
        ("st.caption(f'{name} of {n}')", ["name"]),
        ("st.caption(f'{share:.1%} of {n:,}')", []),
        ("st.caption(f'{name:>10}')", ["name"]),
        ("st.metric('a', value, help=more)", ["value", "more"]),
        ("st.selectbox('Run', names)", []),  # its options are not Markdown
        ("st.segmented_control('Run', names)", ["names"]),
        ("text = 'a' + run.name\nst.info(text)", ["run.name"]),
        ("text = 'a'\ntext += status.get('error')\nst.info(text)", ["status.get('error')"]),
        ("st.info(HELP[name])", []),
        ("st.markdown('**' + ', '.join(labels) + '**')", ["labels"]),
        ("figure.add_scatter(x=xs, name=name)", ["name"]),
        ("figure.add_scatter(x=xs, name=for_plotly(name))", []),
    ],
)
def test_the_check_detects_foreign_text(source: str, doubts: list[str]) -> None:
    tree = ast.parse(source)
    assert sorted(text for _, each in rendered(tree) for text in Judge(tree).doubts(each)) == sorted(doubts)
