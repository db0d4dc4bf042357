"""Codebooks: how evenly codewords are used, what each stands for, and what coding costs."""

from transclipped.ui import imports

imports.through_app()  # before this page imports anything else

import streamlit as st

from transclipped.analysis import codebooks
from transclipped.ui import absent, cached, charts, runs, sections
from transclipped.ui.codebooks import cached as found
from transclipped.ui.codebooks import charts as drawn
from transclipped.ui.components import gallery
from transclipped.ui.guard import guarded
from transclipped.ui.text import plain

USE, WORD, ALIKE, PAIRS, COST = "use", "word", "alike", "pairs", "cost"
SECTIONS = {
    USE: "Even use",
    WORD: "One codeword",
    ALIKE: "Alike codewords",
    PAIRS: "Overlap",
    COST: "Coding cost",
}
LOOKS_INSIDE = ("codebook", "codeword", "codeword2")  # names in the address
PICTURES, RESPONDING = 24, 8
TILE = 64  # pixels of a picture: twice CIFAR-10's
ASK = "Click to ask with it on Retrieval."
NOBODY = "no other run"
LABELS = "Observed with labels, which training never saw."
HELP = {
    "perplexity": "Evenly used codewords that would be as hard to guess, 2^entropy: K at best, 1 after a collapse. "
    "Mean over codebooks.",
    "dead": "Codewords that no picture of the database was given, of all codebooks together.",
    "crowded": f"Codewords that hold more than {codebooks.CROWDED} times the even share of pictures.",
    "error": "Mean over stored queries of 1 − cosine between a query and its decoded code: 0 loses nothing.",
    "information": "Mutual information, in bits, of the code of this codebook and the class, less what shuffled codes "
    "give. " + LABELS,
    "purity": "Share of pictures that are of their codeword's most frequent class. " + LABELS,
}


def side_by_side(shown: list):
    """A column for each run, with its name if there are two."""
    for column, run in zip(st.columns(len(shown)), shown, strict=True):
        with column:
            if len(shown) > 1:
                st.markdown(f"**Run {plain(run.name)}**")
            yield run


def compared(run) -> list:
    """The chosen run and, if wanted, another one."""
    names = [NOBODY, *(name for name, other in runs.all_runs().items() if name != run.name and has_codes(other))]
    absent.settle("beside", names, NOBODY)
    name = st.selectbox(
        "Compare with", names, key="beside", bind="query-params",
        help="Such as one trained without the diversity regulariser, or with another clipping rule.",
    )  # fmt: skip
    return [run] if name == NOBODY else [run, runs.all_runs()[name]]


def has_codes(run) -> bool:
    return (run.path / "retrieval.npz").exists() and run.problem() is None


def evenness(shown: list) -> None:
    st.subheader("Are the codewords used evenly?")
    st.caption(
        "How many pictures of the database each codeword holds. A flat line uses every codeword alike; a line that "
        "falls to 0 early wastes bits."
    )
    uses = [found.usage(run.fingerprint, run) for run in shown]
    top = max(use.counts.max(initial=1) for use in uses)
    for run, use in zip(side_by_side(shown), uses, strict=True):
        m, k = use.counts.shape
        one, two, three = st.columns(3)
        one.metric(f"Perplexity, of {k}", f"{use.perplexity.mean():.1f}", help=HELP["perplexity"])
        two.metric(f"Dead, of {m * k:,}", f"{use.dead.sum():,}", help=HELP["dead"])
        three.metric("Crowded", f"{use.crowded.sum():,}", help=HELP["crowded"])
        figure = drawn.usage(use.counts, use.even, top=top, key=f"usage {run.name}")
        charts.show(figure, key=f"usage {run.name}", name=f"{run.name}-usage")


@st.fragment
@guarded
def training(shown: list) -> None:
    st.subheader("How did that come about?")
    lines = {}
    for run in shown:
        points = [(e["epoch"], e["perplexity"]) for e in run.events("step") if "perplexity" in e and "epoch" in e]
        if points:
            lines[run.name] = tuple(zip(*points, strict=True))
    if lines:
        st.caption(
            "Perplexity during training, mean over codebooks, counted within one batch: at most the number of its "
            "views, so below that of the whole database."
        )
        figure = drawn.perplexity(lines, y="perplexity of a batch", key="perplexity")
        charts.show(figure, key="perplexity", name="perplexity")
    else:
        st.info("This run kept no record of its training.")
    looked = st.toggle(
        "Look at every epoch", key="epochs", bind="query-params",
        help=f"Codes {codebooks.SAMPLE:,} pictures by the head of each epoch; the first time takes some seconds.",
    )  # fmt: skip
    if looked:
        epochs(shown)


def epochs(shown: list) -> None:
    histories = [found.by_epoch(run.fingerprint, run) for run in shown]
    top = max(float(history.perplexity.max()) for history in histories)
    for run, history in zip(side_by_side(shown), histories, strict=True):
        st.caption(f"Perplexity of each codebook over {history.n:,} database pictures, by the head of each epoch.")
        lines = {
            f"codebook {m + 1}": (history.epoch.tolist(), values.tolist())
            for m, values in enumerate(history.perplexity.T)
        }
        figure = drawn.perplexity(lines, y="perplexity", key=f"epochs {run.name}", top=top)
        charts.show(figure, key=f"epochs {run.name}", name=f"{run.name}-perplexity")


def codebook(shown: list) -> int:
    """Which codebook is looked into, from 0."""
    most = max(cached.arrays(run).codebooks.shape[0] for run in shown)
    if not 1 <= st.session_state.get("codebook", 1) <= most:  # a link to a run with more of them
        st.session_state["codebook"] = 1
    number = st.number_input(
        "Codebook", 1, most, key="codebook", bind="query-params",
        help="Each codebook codes its own part of the embedding, with one byte.",
    )  # fmt: skip
    return int(number) - 1


def having(shown: list, m: int):
    """A column for each run, of which those without codebook `m` say so."""
    for place, run in enumerate(side_by_side(shown)):
        if m < cached.arrays(run).codebooks.shape[0]:
            yield place, run
        else:
            st.info(f"{plain(run.name)} has no codebook {m + 1}.")


@st.fragment
@guarded
def one_codebook(shown: list) -> None:
    st.subheader("What does a codeword stand for?")
    m = codebook(shown)
    for place, run in having(shown, m):
        codeword(run, m, key="codeword" if place == 0 else "codeword2", wide=len(shown) == 1)


def codeword(run, m: int, *, key: str, wide: bool) -> None:
    counts = found.usage(run.fingerprint, run).counts[m]
    last, chart = len(counts) - 1, f"{key} chart"
    if st.session_state.get(key) is None and key not in st.query_params:
        st.session_state[key] = int(counts.argmax())
    if not 0 <= st.session_state.get(key, 0) <= last:
        st.session_state[key] = 0

    def pick() -> None:
        points = st.session_state[chart].selection.points
        if points:
            st.session_state[key] = int(points[0]["customdata"][0])

    left, right = st.columns([1, 1]) if wide else (st.container(), st.container())
    with left:
        chosen = int(st.number_input("Codeword", 0, last, key=key, bind="query-params", help="Its byte in the code."))
        st.caption("Pictures of each codeword. Click a point to look inside.")
        figure = drawn.codewords(counts, chosen, key=f"{run.name} {m}")
        charts.show(figure, key=chart, name=f"{run.name}-codebook-{m + 1}", on_select=pick, selection_mode="points")
    with right:
        held(run, m, chosen, total=int(counts[chosen]))
    classes(run, m, chosen, key=key, wide=wide)


def held(run, m: int, word: int, *, total: int) -> None:
    """Pictures of the database with this codeword, and the queries that lie closest to it."""
    stored = cached.arrays(run)
    rows = codebooks.members(stored.codes[:, m], word, PICTURES)
    if len(rows):
        st.caption(f"{len(rows)} of the {total:,} database pictures that codebook {m + 1} gives codeword {word}.")
        tiles(run, stored.database_ids[rows], [""] * len(rows), key="members")
    else:
        st.info(f"Codeword {word} is dead: no picture of the database was given it.")
    asked, cosines = codebooks.responding(stored.queries, stored.codebooks, codebook=m, codeword=word, limit=RESPONDING)
    if len(asked):
        st.caption("What it responds to: the queries whose sub-vector is most similar to it, with the cosine.")
        tiles(run, stored.query_ids[asked], [f"{value:.2f}" for value in cosines], key="responding")


def tiles(run, ids, texts: list[str], *, key: str) -> None:
    data = cached.run_data(run)
    images = cached.pictures(data)
    shown = [
        gallery.Tile(str(identity), gallery.of_row(data, images.row_of(identity)), text, title=f"picture {identity}")
        for identity, text in zip(ids.tolist(), texts, strict=True)
    ]

    def ask(identity: str) -> None:
        st.session_state["run"] = run.name  # of two runs side by side it may be the other one
        st.session_state["asked"] = identity

    gallery.draw(shown, key=f"{key} {run.name}", size=TILE, on_click=ask, hint=ASK)
    asked = st.session_state.pop("asked", None)
    if asked is not None:  # `run` is the sidebar's, so it must not be among the parameters
        st.switch_page("pages/retrieval.py", query_params={"query_id": asked})


def classes(run, m: int, word: int, *, key: str, wide: bool) -> None:
    table = found.classes(run.fingerprint, m, run)
    if table is None or not table.sum():
        return
    known = run.record.get("class_names", [])
    names = [known[i] if i < len(known) else str(i) for i in range(table.shape[1])]
    left, right = st.columns([1, 1]) if wide else (st.container(), st.container())
    with left:
        st.caption(f"Classes of the pictures with codeword {word}. {LABELS}")
        figure = drawn.class_bars(table[word], names, key=f"{key} bars")
        charts.show(figure, key=f"{key} bars", name=f"{run.name}-codeword-{word}-classes")
    with right:
        st.caption(f"Which classes each codeword of codebook {m + 1} holds. {LABELS}")
        figure = drawn.class_map(table, names, key=f"{key} classes")
        charts.show(figure, key=f"{key} classes", name=f"{run.name}-codebook-{m + 1}-classes")
    stored = cached.arrays(run)
    one, two, _ = st.columns([1, 1, 2 if wide else 0.1])
    if stored.database_labels.ndim == 1:
        bits = codebooks.class_information(table)
        one.metric("It tells about the class", f"{bits:.2f} bits", help=HELP["information"])
    two.metric("Purity", f"{codebooks.purity(table):.0%}", help=HELP["purity"])


@st.fragment
@guarded
def likeness(shown: list) -> None:
    """Cosines between the codewords of one codebook, now or after any epoch."""
    st.subheader("Do codewords say the same?")
    m = codebook(shown)
    st.caption(
        f"Cosines between the codewords of codebook {m + 1}, similar ones side by side. Red off the diagonal: "
        "codewords that say nearly the same."
    )
    for _, run in having(shown, m):
        kept = [*run.epochs(), None]
        epoch = st.select_slider(
            "Epoch", kept, None, format_func=lambda epoch: "kept" if epoch is None else str(epoch),
            key=f"epoch {run.name}", help="Each epoch's codebooks were kept; the last choice is the model in use.",
        ) if len(kept) > 1 else None  # fmt: skip
        cosines, order = found.similarity(run.fingerprint, m, epoch, run)
        figure = drawn.similarity(cosines, order, key=f"cosines {run.name}")
        charts.show(figure, key=f"cosines {run.name}", name=f"{run.name}-codebook-{m + 1}-cosines")


@guarded
def together(shown: list) -> None:
    st.subheader("Do codebooks repeat each other?")
    st.caption(
        "Bits that one codebook tells about another (mutual information), beyond what shuffled codes of the same "
        "usage give. 0: they complement each other."
    )
    dependences = [found.dependence(run.fingerprint, run) for run in shown]
    top = max(each.largest("excess") for each in dependences)
    for run, each in zip(side_by_side(shown), dependences, strict=True):
        if len(each.plain) < 2:
            st.info(f"{plain(run.name)} has a single codebook; there is none to compare it with.")
            continue
        figure = drawn.dependence(each.excess, top=top, key=f"dependence {run.name}")
        charts.show(figure, key=f"dependence {run.name}", name=f"{run.name}-dependence")
        st.caption(
            f"Not corrected, the largest is {each.largest('plain'):.2f} bits; shuffled codes, independent by "
            f"construction, reach {each.largest('shuffled'):.2f} by chance."
        )


@guarded
def cost(shown: list) -> None:
    st.subheader("What does coding cost?")
    st.caption("How far each stored query lies from its own code: 1 − cosine, the quantization error.")
    errors = [found.error(run.fingerprint, run) for run in shown]
    top = max(float(error.whole.max(initial=0)) for error in errors)
    for run, error in zip(side_by_side(shown), errors, strict=True):
        if not len(error.whole):
            st.info(f"{plain(run.name)} stores no queries.")
            continue
        st.metric("Quantization error", f"{error.whole.mean():.4f}", help=HELP["error"])
        figure = drawn.errors(error.whole, top=top, key=f"error {run.name}")
        charts.show(figure, key=f"error {run.name}", name=f"{run.name}-error")
        parts = ", ".join(f"{value:.3f}" for value in error.by_codebook.mean(0))
        st.caption(f"Mean by codebook: {parts}.")


@guarded
def page(run) -> None:
    part = sections.choose(SECTIONS, told_by=dict.fromkeys(LOOKS_INSIDE, WORD))
    shown = compared(run)
    if part == USE:
        evenness(shown)
        training(shown)
    else:
        {WORD: one_codebook, ALIKE: likeness, PAIRS: together, COST: cost}[part](shown)


st.title("Codebooks")
st.caption("A code is one codeword from each codebook. See how they share the work, and what each has come to mean.")
chosen = runs.finished()
if chosen is not None:
    page(chosen)
