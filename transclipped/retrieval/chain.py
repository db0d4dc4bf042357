"""Runs a pipeline on arrays: learns its stages, codes the database and ranks it for queries.

Every output is stored by the canonical form of the line up to its stage, with fingerprints of its input and of the
code of its stages, so that lines with a common beginning share the work. Blocks of rows pass through the stages:
"train", "database", "query", "outside" (another data set) and "view:0", "view:1", … (of the training rows).
"""

from __future__ import annotations

import hashlib
import inspect
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from types import CodeType
from typing import Any, Protocol

import numpy as np
from scipy.sparse import csr_array

from transclipped import __version__
from transclipped.retrieval.augmentation.dba import smooth
from transclipped.retrieval.index import FlatIndex, Hits
from transclipped.retrieval.keywords import keywords
from transclipped.retrieval.line import Line, Step
from transclipped.retrieval.stages import STAGES, Collection, Index, Stage, State, to_query

PACKAGE = Path(__file__).resolve().parents[1]
MEMORY = 2**31  # bytes of stored outputs
LISTS = 200  # neighbours of each item that are computed once, and hits that re-ranking sees at least


class Source(Protocol):
    """The input of a pipeline, by block; `step` is its features stage, None if the line begins with vectors."""

    def key(self, step: Step | None, block: str) -> str:
        """Fingerprint of the rows of a block and of their features."""

    def vectors(self, step: Step | None, block: str) -> np.ndarray:
        """`[n, D]` float32."""

    def maps(self, step: Step, block: str) -> Iterable[np.ndarray]:
        """Batches of maps `[b, C, h, w]` float32, not negative; can be repeated."""

    def labels(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Of queries and database; keywords for the stages that use them."""


@dataclass(frozen=True)
class Entry:
    """A stored output.

    Attributes:
        seconds: that it took, without the outputs that it needed.
        needed: seconds of the database's outputs that it needed, by key.
    """

    value: Any
    seconds: float
    needed: dict[str, float]


class Store:
    """Outputs by key, in memory; the oldest go when they fill more than `MEMORY` bytes. Threads may share one.

    Attributes:
        computed: outputs that `get` had to compute.
    """

    def __init__(self) -> None:
        self.computed = 0
        self._entries: dict[str, Entry] = {}  # the latest use last
        self._lock = threading.RLock()
        self._inner = 0.0  # seconds of the outputs that the current one needed
        self._needed: dict[str, float] = {}  # those of the database, by key

    def find(self, key: str) -> Entry | None:
        with self._lock:
            if (entry := self._entries.pop(key, None)) is not None:
                self._entries[key] = entry
            return entry

    def put(self, key: str, entry: Entry, *, disk: bool = True) -> Entry:
        """`disk` allows a store to write the value, a dictionary of arrays, to a file."""
        with self._lock:
            self._entries[key] = entry
            while sum(map(_bytes, self._entries.values())) > MEMORY and len(self._entries) > 1:
                del self._entries[next(iter(self._entries))]
            return entry

    @contextmanager
    def aside(self) -> Iterator[dict[str, float]]:
        """The time of the block does not count as that of the current output; gives what the block needs."""
        outer, self._inner, needed, self._needed = self._inner, 0.0, self._needed, {}
        started = time.perf_counter()
        try:
            yield self._needed
        finally:
            self._inner, self._needed = outer + time.perf_counter() - started, needed | self._needed

    def get(self, key: str, compute: Callable[[], Any], *, disk: bool = True, once: bool = True) -> Entry:
        """The output of a key, computed if it is missing; `once` says that it is of the database, not of queries."""
        with self._lock:
            if (entry := self.find(key)) is None:
                with self.aside():
                    self.computed += 1
                    started = time.perf_counter()
                    value = compute()
                    seconds = max(0.0, time.perf_counter() - started - self._inner)
                    entry = self.put(key, Entry(value, seconds, self._needed), disk=disk)
            self.needs(key, entry, once=once)
            return entry

    def needs(self, key: str, entry: Entry, *, once: bool = True) -> None:
        """Note that the current output needs another."""
        self._needed |= entry.needed | ({key: entry.seconds} if once else {})


def _bytes(entry: Entry) -> int:
    if isinstance(entry.value, dict):
        return sum(array.nbytes for array in entry.value.values())
    return int(entry.value.n * entry.value.bytes_per_item)


class Chain:
    """A line without fusion on one source."""

    def __init__(self, line: Line, source: Source, store: Store) -> None:
        self.line, self.source, self.store, self.steps = line, source, store, line.steps
        self.memo: dict[Any, Any] = {}  # of re-ranking, see `Collection`
        first = self.steps[0]
        self.features = first if first.stage.kind == "features" else None
        self.pooling = line.first("aggregation")
        self.coding = next(i for i, step in enumerate(self.steps) if step.stage.kind == "coding")
        self.loaded: tuple[dict[int, State], Index] | None = None  # states and index from files
        self._keys: dict[tuple[int, str, str], str] = {}

    def key(self, i: int, what: str, block: str = "") -> str:
        """Key of an output of step i, of a block or of the whole database."""
        if (i, what, block) not in self._keys:
            self._keys[i, what, block] = self._key(i, what, block)
        return self._keys[i, what, block]

    def _key(self, i: int, what: str, block: str) -> str:
        prefix = self.steps[: i + 1]
        needs = {need for step in prefix for need in step.stage.needs}
        blocks = ({block} - {""}) | (needs & {"outside", "database"})
        blocks |= {"train"} if any(step.stage.fit for step in prefix) else set()
        augmented = any(step.stage.kind == "augmentation" for step in prefix)
        blocks |= {"database"} if augmented or what.startswith(("index", "lists", "hits")) else set()
        inputs = [f"{name} {self.source.key(self.features, name)}" for name in sorted(blocks - {block})]
        inputs += [self.source.key(self.features, block)] if block else []
        inputs += _of_keywords(prefix, self.source)
        learned = prefix[:-1] if what == "state" else prefix
        named = [_digest(self.state(j)) for j, step in enumerate(learned) if "name" in dict(step.options)]
        code = [code_version(step.name) for step in prefix]
        if block == "query" and any(step.stage.queries_only for step in prefix):
            inputs.append(block)  # the same images may also be the database
        text = "\n".join([__version__, str(Line(prefix)), what, *inputs, *named, *code])
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def state(self, i: int) -> State:
        """What step i has learned; empty if it learns nothing."""
        step = self.steps[i]
        if self.loaded or step.stage.fit is None:
            return self.loaded[0][i] if self.loaded else {}
        own = "name" in dict(step.options)  # what stands behind a name may change
        return self.store.get(self.key(i, "state"), lambda: self._fit(i), disk=not own).value

    def _fit(self, i: int) -> State:
        step = self.steps[i]
        fit, options = step.stage.fit, dict(step.options)
        taken = inspect.signature(fit).parameters
        given = {name: value for name, value in options.items() if name in taken}
        if "views" in step.stage.needs:
            blocks = [f"view:{v}" for v in range(options["views"])]
            given["views"] = np.stack([self.vectors(i - 1, block) for block in blocks])
        for name in {"outside", "database"} & set(step.stage.needs):
            given[name] = self.vectors(i - 1, name)
        maps = step.stage.kind in ("filter", "aggregation")
        state = fit(_Batches(self, i - 1, "train") if maps else self.vectors(i - 1, "train"), **given)
        # In the order of numbers that files have too, so that products round alike.
        return {name: np.array(array, order="C") for name, array in state.items()}

    def vectors(self, i: int, block: str) -> np.ndarray:
        """Vectors `[n, D]` after step i, −1 for the input."""
        if i < 0 or self.steps[i].stage.kind == "features":
            with self.store.aside():
                return self.source.vectors(self.features, block)
        step = self.steps[i]
        if not _moves(step.stage, block):
            return self.vectors(i - 1, block)
        key = self.key(i, "vectors", block)
        once = block != "query"
        if i == self.pooling:
            with self.store.aside():
                pool([self], block)
            entry = self.store.find(key)
            self.store.needs(key, entry, once=once)
            return entry.value["vectors"]
        compute = self._augmented if step.stage.kind == "augmentation" else self._transformed
        disk = step.stage.kind == "augmentation" or "database" in step.stage.needs  # these search all items
        return self.store.get(key, lambda: {"vectors": compute(i, block)}, disk=disk, once=once).value["vectors"]

    def _transformed(self, i: int, block: str) -> np.ndarray:
        return self.applied(i, self.vectors(i - 1, block))

    def applied(self, i: int, x: np.ndarray) -> np.ndarray:
        """One filter, aggregation, transform or coding of maps or vectors."""
        step = self.steps[i]
        learned = (self.state(i),) if step.stage.fit is not None else ()
        return step.stage.function(x, *learned, **dict(step.options))

    def _augmented(self, i: int, block: str) -> np.ndarray:
        step, database = self.steps[i], self.vectors(i - 1, "database")
        same = self.source.key(self.features, block) == self.source.key(self.features, "database")
        if block == "database" or same:
            return step.stage.function(database, lambda k: self._near(i - 1, k), **dict(step.options))
        weights = {name: value for name, value in step.options if name in ("k", "alpha")}
        return smooth(self.vectors(i - 1, block), database, **weights)

    def _near(self, i: int, k: int) -> Hits:
        """The k items of the database nearest to each, by vectors after step i."""

        def search(depth: int) -> Hits:
            x = self.vectors(i, "database")
            return FlatIndex(x, codebooks=1).search(x, depth)

        return self._lists(i, k, search)

    def _lists(self, i: int, k: int, search: Callable[[int], Hits]) -> Hits:
        depth = max(k, LISTS)
        key = self.key(i, "lists" if depth == LISTS else f"lists {depth}", "database")
        return _cut(_hits(self.store.get(key, lambda: _arrays(search(depth))).value), k)

    @property
    def index(self) -> Index:
        """The coded database."""
        i = self.coding

        def build() -> Index:
            return self.applied(i, self.vectors(i - 1, "database"))

        return self.loaded[1] if self.loaded else self.store.get(self.key(i, "index"), build, disk=False).value

    def neighbours(self, k: int) -> Hits:
        """The database's own lists, by decoded items."""
        index = self.index
        return self._lists(self.coding, k, lambda depth: index.search(index.decoded() * to_query(index), depth))

    def collection(self, x: np.ndarray, own: int | None = None) -> Collection:
        """Queries, as vectors `[Q, D]` before coding, and the database; `own` as in `Collection`."""
        floats = any("floats" in step.stage.needs for step in self.steps) and not self.loaded
        items = self.vectors(self.coding - 1, "database") if floats else np.zeros(0, np.uint8)
        return Collection(
            self.index,
            self.index.embed(x),
            neighbours=self.neighbours,
            floats=None if items.dtype == np.uint8 else (x, items),  # bytes are the codes of a run
            memo=self.memo,
            keywords=_keywords(self.steps, self.source),
            own=own,
        )

    def encoded(self, inputs: Iterable[np.ndarray] | np.ndarray) -> np.ndarray:
        """Vectors before coding of queries: vectors, or batches of maps if the line begins with maps."""
        steps = [i for i in range(self.coding) if self.steps[i].stage.kind in ("filter", "aggregation", "transform")]

        def through(x: np.ndarray) -> np.ndarray:
            for i in steps:
                x = self.applied(i, x)
            return x

        if isinstance(inputs, np.ndarray):
            return through(inputs)
        return np.concatenate([through(maps) for maps in inputs])

    def search(self, x: np.ndarray, k: int, own: int | None = None) -> Hits:
        """The best min(k, N) items for vectors `[Q, D]` before coding; `own` as in `Collection`."""
        collection = self.collection(x, own)
        depth = max(k, LISTS) if len(self.steps) > self.coding + 1 else k
        hits = collection.search(collection.queries, min(depth, self.index.n))
        return _cut(reranked(hits, collection, self.steps[self.coding + 1 :]), k)

    def queries(self) -> np.ndarray:
        """The data set's queries before coding."""
        return self.vectors(self.coding - 1, "query")

    def hits(self, k: int) -> Entry:
        """The best items for the data set's queries; seconds without what is computed of the database once."""
        return _timed(self, self.key(len(self.steps) - 1, f"hits {k}", "query"), k)

    @property
    def bytes_per_item(self) -> float:
        states = (self.state(i) for i in range(self.coding))
        extra = sum(state["items"][:1].nbytes for state in states if "items" in state)  # the database's own vectors
        return float(self.index.bytes_per_item) + extra


class _Batches:
    """Maps of a block after some steps, which can be repeated."""

    def __init__(self, chain: Chain, i: int, block: str) -> None:
        self.chain, self.i, self.block = chain, i, block

    def __iter__(self) -> Iterator[np.ndarray]:
        batches = iter(self.chain.source.maps(self.chain.features, self.block))
        while True:
            with self.chain.store.aside():  # what learns from maps does not compute them
                maps = next(batches, None)
            if maps is None:
                return
            for i in range(1, self.i + 1):
                maps = self.chain.applied(i, maps)
            yield maps


def pool(chains: Sequence[Chain], block: str) -> None:
    """Aggregate the maps of a block for all chains that lack it: maps are computed once, and not kept."""
    groups: dict[str, dict[str, Chain]] = {}
    needed: dict[str, dict[str, float]] = {}
    for chain in chains:
        if chain.pooling is not None and chain.store.find(key := chain.key(chain.pooling, "vectors", block)) is None:
            with chain.store.aside() as needed[key]:
                for i in range(1, chain.pooling + 1):
                    chain.state(i)  # learned before the pass
            groups.setdefault(str(chain.features), {})[key] = chain
    for group in groups.values():
        first = next(iter(group.values()))
        parts: dict[str, list[np.ndarray]] = {key: [] for key in group}
        seconds = dict.fromkeys(group, 0.0)
        for maps in first.source.maps(first.features, block):
            for key, chain in group.items():
                started, x = time.perf_counter(), maps
                for i in range(1, chain.pooling + 1):
                    x = chain.applied(i, x)
                parts[key].append(np.asarray(x, np.float32))
                seconds[key] += time.perf_counter() - started
        for key, chain in group.items():
            chain.store.put(key, Entry({"vectors": np.concatenate(parts[key])}, seconds[key], needed[key]))


class Fused:
    """Branches whose hits a fusion combines, and re-ranking after it."""

    def __init__(self, line: Line, source: Source, store: Store) -> None:
        self.line, self.store, self.fusion, self.after = line, store, line.steps[0], line.steps[1:]
        self.chains = [Chain(branch, source, store) for branch in self.fusion.branches]
        self.memo: dict[Any, Any] = {}

    @cached_property
    def index(self) -> Index:
        """Items of all branches, side by side: a score is the sum of the branches' scores."""
        return _Joined([chain.index for chain in self.chains])

    @property
    def bytes_per_item(self) -> float:
        return float(self.index.bytes_per_item)

    def queries(self) -> list[np.ndarray]:
        return [chain.queries() for chain in self.chains]

    def hits(self, k: int) -> Entry:
        """As of `Chain`."""
        keys = [chain.key(len(chain.steps) - 1, f"hits {k}", "query") for chain in self.chains]
        code = [code_version(step.name) for step in self.line.steps]
        code += _of_keywords(self.after, self.chains[0].source)
        return _timed(self, hashlib.sha256("\n".join([str(self.line), *keys, *code]).encode()).hexdigest()[:32], k)

    def search(self, xs: list[np.ndarray], k: int, own: int | None = None) -> Hits:
        """The best items for queries before coding, one `[Q, D]` for each branch; `own` as in `Collection`."""
        collections = [chain.collection(x) for chain, x in zip(self.chains, xs, strict=True)]
        depth = max(k, LISTS)
        hits = [chain.search(x, depth, own) for chain, x in zip(self.chains, xs, strict=True)]
        joined = np.concatenate([collection.queries for collection in collections], 1)
        words = _keywords(self.after, self.chains[0].source)
        collection = Collection(
            self.index, joined, neighbours=self._neighbours, memo=self.memo, keywords=words, own=own
        )
        fused = self.fusion.stage.function(hits, collections, **dict(self.fusion.options))
        return _cut(reranked(fused, collection, self.after), k)

    def _neighbours(self, k: int) -> Hits:
        """Lists of the items, fused as hits are."""
        lists = [chain.neighbours(max(k, LISTS)) for chain in self.chains]
        collections = [_of_items(chain) for chain in self.chains]
        return _cut(self.fusion.stage.function(lists, collections, **dict(self.fusion.options)), k)


def _of_items(chain: Chain) -> Collection:
    """The items of a database as its queries."""
    index = chain.index
    return Collection(index, index.decoded() * to_query(index), neighbours=chain.neighbours, memo=chain.memo)


class _Joined:
    """An index over concatenated items of several, scored by the sum of their scores."""

    def __init__(self, indexes: Sequence[Index]) -> None:
        self.indexes, self.n = indexes, indexes[0].n
        self.bytes_per_item = sum(index.bytes_per_item for index in indexes)

    @cached_property
    def _decoded(self) -> tuple[FlatIndex, np.ndarray]:
        """All items, and what each of their numbers is multiplied by for a query."""
        items = [index.decoded() for index in self.indexes]
        factors = [np.full(x.shape[1], to_query(index)) for x, index in zip(items, self.indexes, strict=True)]
        return FlatIndex(np.concatenate(items, 1), codebooks=1), np.concatenate(factors)

    @property
    def to_query(self) -> np.ndarray:
        """What a decoded item is multiplied by to be a query, `[D']`."""
        return self._decoded[1]

    def embed(self, vectors: np.ndarray) -> np.ndarray:
        return vectors

    def search(self, queries: np.ndarray, k: int) -> Hits:
        return self._decoded[0].search(queries, k)

    def decoded(self) -> np.ndarray:
        return self._decoded[0].embeddings


def _moves(stage: Stage, block: str) -> bool:
    """Whether a stage changes the vectors of a block."""
    if stage.kind == "augmentation":
        return block not in ("query", "outside")
    return block == "query" or not stage.queries_only


def ranker(line: Line, source: Source, store: Store) -> Chain | Fused:
    """What ranks by a line."""
    return (Fused if line.steps[0].branches else Chain)(line, source, store)


def chains(of: Chain | Fused) -> list[Chain]:
    """The branches."""
    return of.chains if isinstance(of, Fused) else [of]


def _timed(of: Chain | Fused, key: str, k: int) -> Entry:
    """Hits of the data set's queries, from the store if it has them; a first query computes what is needed once."""
    store = of.store
    if (entry := store.find(key)) is None:
        queries = of.queries()
        first = [x[:1] for x in queries] if isinstance(of, Fused) else queries[:1]
        once = store.get(f"{key} first", lambda: _arrays(of.search(first, k)), disk=False)
        hits = store.get(key, lambda: _arrays(of.search(queries, k)), once=False)
        needed = once.needed | hits.needed | {f"{key} first": once.seconds}
        entry = store.put(key, Entry(hits.value, hits.seconds, needed))
    return Entry(_hits(entry.value), entry.seconds, entry.needed)


def reranked(hits: Hits, collection: Collection, steps: Iterable[Step]) -> Hits:
    """Hits after re-ranking, step by step."""
    for step in steps:
        hits = step.stage.function(hits, collection, **dict(step.options))
    return hits


def code_version(name: str) -> str:
    """Changes with the file of a stage, or a file beside it."""
    return _code_digest(inspect.unwrap(STAGES[name].function).__code__)


@cache
def _code_digest(code: CodeType) -> str:
    file = Path(code.co_filename)
    files = sorted(file.parent.glob("*.py")) if PACKAGE in file.parents else [file] if file.is_file() else []
    digest = hashlib.sha256(code.co_code)  # all that is known of a function from a notebook
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


def _keywords(steps: Sequence[Step], source: Source) -> csr_array | None:
    """Words of the database's images, from its labels; None unless a step uses them."""
    labels = source.labels() if any(step.stage.uses_labels for step in steps) else None
    return None if labels is None else keywords(labels[1])


def _of_keywords(steps: Sequence[Step], source: Source) -> list[str]:
    """What of the labels an output depends on."""
    words = _keywords(steps, source)
    return [] if words is None else [_digest({"indices": words.indices, "indptr": words.indptr})]


def _digest(state: State) -> str:
    digest = hashlib.sha256()
    for name, array in sorted(state.items()):
        digest.update(name.encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def _arrays(hits: Hits) -> State:
    """Hits to store, rows in four bytes."""
    return {"scores": hits.scores, "rows": hits.rows.astype(np.int32)}


def _hits(arrays: State) -> Hits:
    return Hits(arrays["scores"], arrays["rows"].astype(np.int64))


def _cut(hits: Hits, k: int) -> Hits:
    return Hits(hits.scores[:, :k], hits.rows[:, :k])
