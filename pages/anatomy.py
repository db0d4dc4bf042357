"""Anatomy of a code: one picture's way through the network, step by step, to the bytes that are searched."""

from transclipped.ui import imports

imports.through_app()  # before this page imports anything else

import numpy as np
import streamlit as st

from transclipped.analysis import anatomy
from transclipped.errors import InputError
from transclipped.retrieval.coding import product
from transclipped.ui import cached, charts, runs, shell
from transclipped.ui.anatomy import cached as found
from transclipped.ui.anatomy import html as pieces
from transclipped.ui.anatomy import strips as anatomy_strips
from transclipped.ui.anatomy import subject as anatomy_subject
from transclipped.ui.components import attention as anatomy_look
from transclipped.ui.components import steps as anatomy_walk
from transclipped.ui.guard import guarded
from transclipped.ui.text import plain

STEPS = ("Patches", "Attention", "Embedding", "Sub-vectors", "Codewords", "Bytes", "Score")
WRITTEN = 16  # numbers a line, up to which they are written into the cells
DEEPEST = 1000  # rank of a hit
ALL = "all"
HELP = {
    "layer": "All layers multiplied up, each mixed half and half with what was there before: attention rollout, "
    "Abnar and Zuidema 2020. Or what one layer does.",
    "head": "A layer attends several times at once, in its heads, for different things. All: their mean.",
    "alpha": "Training mixes codewords by softmax(α · cosine). A large α decides, a small one hesitates. "
    "The stored code takes the nearest codeword ★, whatever α is.",
}


def told(number: int, sentence: str) -> None:
    """Title of a step and the sentence that says what one is looking at."""
    st.subheader(f"{number} · {STEPS[number - 1]}", anchor=STEPS[number - 1].lower())
    with st.container(key=f"told-{number}"):
        st.markdown(sentence)


def patches(run, subject, seen) -> None:
    if seen is None or seen.grid is None:
        told(1, "A picture nobody has labelled. What the network makes of its parts cannot be drawn here.")
    elif seen.attention is None:
        h, w = seen.grid
        told(1, f"The network turns the picture into a map of **{h} × {w} places**, each a list of numbers.")
    else:
        h, w = seen.grid
        told(1, f"The picture becomes **{h} × {w} = {h * w} tokens**: a list of numbers for each patch.")
    grid = (1, 1) if seen is None or seen.grid is None else seen.grid
    data = cached.run_data(run)
    picture, crisp = found.enlarged(data, subject.key, grid, subject), found.crisp(data)
    left, right = st.columns(2, gap="large")
    left.html(pieces.patches(picture, (1, 1), crisp=crisp))
    left.caption(plain(subject.caption))
    if grid != (1, 1):
        right.html(pieces.patches(picture, grid, crisp=crisp))
        size = found.model(run.fingerprint, run).microscope.backbone.image_size
        right.caption(f"The network is fed {size} × {size} pixels, so a patch has {size / grid[1]:.3g} of them a side.")


def options(key: str, label: str, n: int, **more) -> int | None:
    """A choice of 1 … n, or of all together (None)."""
    choices = [ALL, *map(str, range(1, n + 1))]
    if st.session_state.get(key, ALL) not in choices:  # a link to a network with more of them
        st.session_state[key] = ALL
    chosen = st.segmented_control(
        label, choices, default=ALL, required=True, key=key, bind="query-params", help=HELP[key], **more
    )
    return None if chosen == ALL else int(chosen) - 1


@st.fragment
@guarded
def attention(run, subject, seen) -> None:
    if seen.attention is None:
        energy(run, subject, seen)
        return
    layers, heads, _, _ = seen.attention.shape
    told(2, "Tokens look at each other. **Dark** places are ignored; point at a place to see what *it* looks at.")
    left, right = st.columns(2, gap="large")
    with right:
        layer = options("layer", "Layer", layers)
        head = options("head", "Head", heads, disabled=layer is None)
        where = "the class token" if seen.class_token else "the mean of all tokens"
        st.markdown(
            f"The embedding is read off {where}, so that is shown first. Click a place to keep it; press Esc to let go."
        )
    if layer is None:
        weights, verb, verbs = found.rolled(run.fingerprint, subject.key, run, subject), "draws on", "draw on"
    else:
        weights, verb, verbs = anatomy.layer(seen.attention, layer, head), "looks at", "look at"
    rows = np.stack([anatomy.over_places(weights, seen, token) for token in range(seen.grid[0] * seen.grid[1])])
    who = f"The class token {verb}" if seen.class_token else f"On average, tokens {verbs}"
    with left:
        look(run, subject, seen, anatomy.over_places(weights, seen), rows, who=who, verb=verb)


def energy(run, subject, seen) -> None:
    if seen.grid is None:
        told(2, "What this network looks at forms no grid, so it cannot be drawn over the picture.")
        return
    told(2, "This network has no attention over the picture. **Bright** places are strongest in its last map.")
    left, right = st.columns(2, gap="large")
    right.markdown("Brightness is *channel energy*: the mean square of a place's numbers, as a share of all places.")
    with left:
        look(run, subject, seen, seen.energy, None, who="The map is strongest in", verb="")


def look(run, subject, seen, base, rows, *, who: str, verb: str) -> None:
    data = cached.run_data(run)
    anatomy_look.draw(
        found.enlarged(data, subject.key, seen.grid, subject), base, rows,
        grid=seen.grid, who=who, verb=verb, crisp=found.crisp(data), key="look",
    )  # fmt: skip


def numbers(run, values, names=(), *, key: str, **options) -> None:
    """Lines of numbers as colours, and what saves them."""
    strips = anatomy_strips.Strips(values, names, **options)
    st.html(strips.html())
    name = f"{run.name}-{key}"
    with charts.saving(key):
        charts.offer(strips.svg, key=key, name=name, kind="svg", type="tertiary")
        charts.offer(strips.csv, key=key, name=name, type="tertiary")


def embedding(run, seen, projected) -> None:
    f, (m, d) = len(seen.embedding), projected.raw.shape
    told(3, f"The places are pooled to one list of **{f:,} numbers**, the embedding. Similar pictures, similar lists.")
    numbers(run, seen.embedding[None], what="number of the embedding", key="embedding", height=4)
    st.markdown(f"A learned matrix of {m * d} × {f:,} weights projects it to **{m * d} numbers**.")
    numbers(run, projected.raw.reshape(1, -1), what="number after projection", key="raw", height=4)


def sub_vectors(run, unit, projected) -> None:
    m, d = unit.shape
    told(4, f"They are cut into **{m} sub-vectors** of {d} numbers, and each is brought to length 1.")
    names = [f"sub-vector {i}" for i in range(1, m + 1)]
    numbers(run, unit, names, what="number", key="parts", height=2.5, limit=1.0, written=d <= WRITTEN)
    if projected is not None:
        lengths = ", ".join(f"{length:.2f}" for length in projected.length)
        st.caption(f"Their lengths were {lengths}. At length 1, every codebook has the same say.")


@st.fragment
@guarded
def codewords(run, stored, unit) -> None:
    k = stored.codebooks.shape[1]
    told(5, f"Each sub-vector is compared with its codebook's **{k} codewords**. The nearest ★ will stand for it.")
    alpha = st.slider(
        "Sharpness α of the soft assignment", 1.0, found.SHARPEST, found.sharpness(run), 1.0, key="alpha",
        bind="query-params", help=HELP["alpha"],
    )  # fmt: skip
    assigned = anatomy.assign(unit, stored.codebooks, alpha)
    code, crisp = anatomy.code_of(unit, stored.codebooks), found.crisp(cached.run_data(run))
    likely = found.likely(assigned)
    cards = []
    for i, faces in enumerate(found.faces(run.fingerprint, likely, run)):
        words = [
            pieces.Word(word, float(assigned.p[i, word]), pictures, word == code[i])
            for word, pictures in zip(likely[i], faces, strict=True)
        ]
        rest, bits = 1 - sum(word.p for word in words), float(assigned.bits[i])
        cards.append(pieces.candidates(i + 1, words, rest=rest, others=k - len(words), bits=bits, crisp=crisp))
    st.html(pieces.cards(cards, width=17))
    st.caption(
        "Bits: entropy of the soft assignment, 0 if one codeword has it all, "
        f"{np.log2(k):.3g} if all {k} share alike. Beside a codeword: database pictures that have it in their code."
    )


def code_bytes(run, stored, unit) -> None:
    m, k, d = stored.codebooks.shape
    told(6, f"The numbers of the nearest codewords are the code: **{m} byte{'s'[: m > 1]}** for the whole picture.")
    spelled = anatomy.spelled(anatomy.code_of(unit, stored.codebooks), k)
    st.html(pieces.cards([pieces.byte(i, *number) for i, number in enumerate(spelled, 1)], width=11.5))
    n = len(stored.codes)
    st.caption(
        f"The {m * d} numbers before coding take {4 * m * d} bytes. All {n:,} pictures of the database fit into "
        f"{n * m / 1000:,.0f} kB of codes."
    )


@st.fragment
@guarded
def score(run, searcher, subject, unit) -> None:
    m, k, _ = searcher.stored.codebooks.shape
    told(7, f"The picture asks: {m} tables say what every codeword would add. A hit's code picks **{m} numbers**.")
    deepest = min(DEEPEST, searcher.index.n)
    if not 1 <= st.session_state.get("hit", 1) <= deepest:  # a link to a larger database
        st.session_state["hit"] = 1
    rank = int(st.number_input(
        "Rank of the hit", 1, deepest, key="hit", bind="query-params", width=160,
        help="1 is the most similar picture of the database. Try a far one: its code picks smaller numbers.",
    ))  # fmt: skip
    hit = searcher.search(unit.ravel(), top=rank)[-1]
    code, tables = searcher.index.codes[hit.row], anatomy.tables(unit, searcher.stored.codebooks)
    picked = product.picked(tables, code)
    data = cached.run_data(run)
    spelled = " ".join(number[1] for number in anatomy.spelled(code, k))
    st.html(
        pieces.pair(
            found.portrait(data, subject.key, subject),
            found.hit(data, cached.pictures(data).row_of(hit.id)),
            crisp=found.crisp(data),
        )
    )
    labels = f": {plain(', '.join(hit.labels))}" if hit.labels else ""
    st.caption(f"The picture, and hit {rank}{labels}, code {spelled}.")
    st.html(pieces.total(picked.tolist(), float(picked.sum())))
    st.markdown(f"Search returns **{hit.score:.3f}**, the same sum. A square marks the number that each table gives.")
    names = [f"table {i}" for i in range(1, m + 1)]
    most = float(np.abs(tables).max(initial=1e-6))
    numbers(run, tables, names, what="codeword", key="tables", height=2.75, limit=most, picked=code)
    if subject.address:
        st.page_link(
            "pages/retrieval.py", label="See what else it finds", icon=":material/image_search:",
            query_params=dict(subject.address),  # `run` is the sidebar's, so it must not be among them
        )  # fmt: skip


def looked_at(run, subject):
    """What the network makes of the picture: (seen, projected), or the reason why it cannot be had."""
    try:
        seen = found.seen(run.fingerprint, subject.key, run, subject)
        return seen, anatomy.project(found.model(run.fingerprint, run).head, seen.embedding), ""
    except InputError as error:
        return None, None, str(error)


@guarded
def page(run) -> None:
    searcher = cached.engine(run.fingerprint, run)
    stored = searcher.stored
    with shell.aside("picture"):
        subject = anatomy_subject.choose(run, searcher)
        step = anatomy_walk.choose(STEPS)
    if subject is None:
        return
    seen, projected, why = looked_at(run, subject)
    unit = found.sub_vectors(run, stored.codebooks, subject)
    if why:
        st.warning(f"The network cannot be looked into, so steps 2 and 3 are left out: {plain(why)}")
    if unit is None:
        st.info("Without it, your picture has no code. Follow one of the run's own instead.")
        return
    parts = [
        lambda: patches(run, subject, seen),
        (lambda: attention(run, subject, seen)) if seen is not None else None,
        (lambda: embedding(run, seen, projected)) if seen is not None else None,
        lambda: sub_vectors(run, unit, projected),
        lambda: codewords(run, stored, unit),
        lambda: code_bytes(run, stored, unit),
        lambda: score(run, searcher, subject, unit),
    ]
    for place, draw in enumerate(parts[:step], 1):
        if place == step:
            anatomy_walk.here(STEPS, step)
        if draw is not None:
            st.divider()
            draw()
    st.divider()
    anatomy_walk.buttons(STEPS, step)


st.title("Anatomy of a code")
st.caption("Follow one picture through the network: from its pixels to a few bytes, and to the score of a hit.")
chosen = runs.finished()
if chosen is not None:
    page(chosen)
