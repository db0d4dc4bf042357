"""Splits: training images, queries, database and validation images.

A protocol of the data set assigns the roles; limits and the validation split only remove rows:

    database_limit → validation, cut from the training rows → train_limit, query_limit

Queries are neither searched nor trained on, validation rows are not trained on but stay in the database, and images
without a label are not queries. The same seed gives the same split on every machine.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from transclipped.config import DataConfig
from transclipped.datasets.base import ImageSet
from transclipped.datasets.labels.files import read_csv
from transclipped.datasets.sampling import sample
from transclipped.errors import InputError
from transclipped.utils.files import read_json, replacing, write_json

ROLES = ("train", "query", "database", "validation")
CUSTOM = "own"  # protocol of a split from a file
LEAST = 3  # training images: with two, all negatives of an anchor are views of one image
MAX_NAMED = 5  # ids in a message


@dataclass(frozen=True, kw_only=True)
class Split:
    """Rows `[n]` int64, sorted."""

    train: np.ndarray  # for the contrastive loss, without labels
    query: np.ndarray  # in none of the others
    database: np.ndarray  # searched
    validation: np.ndarray  # taken from the training rows
    protocol: str  # of the data set, or "own"
    seed: int

    def to_json(self, images: ImageSet) -> dict[str, Any]:
        """Ids by role for a JSON file; consecutive numbers become "first-last"."""
        ids = {role: _written(images.ids[getattr(self, role)]) for role in ROLES}
        return {"protocol": self.protocol, "seed": self.seed, **ids}

    @staticmethod
    def from_json(value: Any, images: ImageSet, *, source: str = "the split") -> Split:
        """Inverse of `to_json`; roles may be plain lists of ids, and may be missing.

        Raises:
            InputError: the form is wrong, ids are unknown, or queries have another role too.
        """
        if not isinstance(value, dict) or not all(isinstance(value.get(role, []), list) for role in ROLES):
            raise InputError(f"{source} must be a JSON object of lists named {', '.join(ROLES)}")
        if unknown := set(value) - {*ROLES, "protocol", "seed"}:
            raise InputError(f"{source} has {len(unknown)} keys that are not roles; use {', '.join(ROLES)}")
        protocol, seed = value.get("protocol", CUSTOM), value.get("seed", 0)
        if not isinstance(protocol, str) or type(seed) is not int:
            raise InputError(
                f"{source} has a protocol of type {type(protocol).__name__} and a seed of type {type(seed).__name__}; "
                "they must be a name and an integer"
            )
        ids = {role: _expanded(value.get(role, []), images) for role in ROLES}
        return _from_ids(ids, images, source=source, protocol=protocol, seed=seed)


def draw(images: ImageSet, config: DataConfig, *, unreadable: bool = False) -> Split:
    """The split of a configuration; with `unreadable`, including images that cannot be decoded.

    Raises:
        InputError: the protocol is unknown, the split file is wrong, or too few images are left.
    """
    split = read_split(Path(config.split).expanduser(), images) if config.split else _from_protocol(images, config)
    split = replace(split, query=split.query[images.labelled[split.query]], seed=config.seed)
    split = _limit_database(split, config)
    split = _cut_validation(split, config)
    for role, limit in (("train", config.train_limit), ("query", config.query_limit)):
        if limit is not None:
            rows = sample(getattr(split, role), limit, seed=config.seed, purpose=f"limit {role}")
            split = replace(split, **{role: rows})
    few = "data.data" if config.train_limit is None else "data.train_limit"
    return split if unreadable else readable(split, images, setting=few)


def readable(split: Split, images: ImageSet, *, setting: str = "data.data") -> Split:
    """A split without unreadable images; if no query is left, others are drawn. `setting` is that of an error."""
    n_query = len(split.query)
    split = replace(split, **{role: images.readable(getattr(split, role)) for role in ROLES})
    if n_query and not len(split.query):
        candidates = split.database[images.labelled[split.database]]
        query = sample(candidates, n_query, seed=split.seed, purpose="query in place of unreadable ones")
        rest = {role: np.setdiff1d(getattr(split, role), query) for role in ROLES}
        split = replace(split, **rest | {"query": query})
    if len(split.train) < LEAST or not len(split.query) or not len(split.database):
        raise InputError(
            f"the split has {len(split.train)} training, {len(split.query)} query and {len(split.database)} database "
            f"images; need at least {LEAST}, 1 and 1, {LEAST + 1} in all: raise the limits, or add (labelled) ones",
            setting=setting,
        )
    return split


def read_split(path: Path, images: ImageSet) -> Split:
    """A custom split: a CSV with the columns id and role, or JSON as in a run; InputError if it is invalid."""
    if path.suffix.lower() == ".json":
        return Split.from_json(read_json(path), images, source=str(path))
    header, lines = read_csv(path)
    if header != ["id", "role"]:
        raise InputError(f"{path} must begin with the line 'id,role'; it has {len(header)} columns")
    ids: dict[str, list[Any]] = {role: [] for role in ROLES}
    for number, (name, role) in lines:
        if role not in ids:
            raise InputError(f"{path} line {number}: role is {role!r}; choose one of {', '.join(ROLES)}")
        ids[role].append(_number(name) if images.ids.dtype.kind == "i" else name)
    return _from_ids(ids, images, source=str(path), protocol=CUSTOM, seed=0)


def write_split(path: Path, split: Split, images: ImageSet) -> None:
    """Write JSON or, by the suffix of `path`, a CSV for `read_split`; InputError for another suffix."""
    if path.suffix.lower() == ".json":
        write_json(path, split.to_json(images))
    elif path.suffix.lower() == ".csv":
        with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            file.write(split_csv(split, images))
    else:
        raise InputError(f"cannot write a split as {path.name}; choose a name that ends in .json or .csv")


def split_csv(split: Split, images: ImageSet) -> str:
    """CSV with the columns id and role; an image with two roles has two lines."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["id", "role"])
    for role in ROLES:
        writer.writerows([identity, role] for identity in images.ids[getattr(split, role)].tolist())
    return buffer.getvalue()


def _from_protocol(images: ImageSet, config: DataConfig) -> Split:
    protocol = config.protocol or images.protocols[0]
    if protocol not in images.protocols:
        raise InputError(f"{images.name} has no protocol {protocol!r}; choose {' or '.join(images.protocols)}")
    train, query, database = images.roles(protocol, seed=config.seed)
    none = np.empty(0, np.int64)
    return Split(train=train, query=query, database=database, validation=none, protocol=protocol, seed=config.seed)


def _limit_database(split: Split, config: DataConfig) -> Split:
    if config.database_limit is None:
        return split
    database = sample(split.database, config.database_limit, seed=config.seed, purpose="limit database")
    if np.array_equal(split.train, split.database):  # train on all of the smaller database too
        split = replace(split, train=database)
    return replace(split, database=database)


def _cut_validation(split: Split, config: DataConfig) -> Split:
    if not config.validation:
        return split
    if len(split.validation):
        raise InputError("the split file has a validation role, so data.validation must be 0")
    most = max(0, len(split.train) - LEAST)
    if config.validation > most:
        raise InputError(
            f"data.validation is {config.validation}, but there are {len(split.train)} training images; choose at "
            f"most {most}, so that {LEAST} are left for training",
            setting="data.validation",
        )
    validation = sample(split.train, config.validation, seed=config.seed, purpose="validation")
    return replace(split, validation=validation, train=np.setdiff1d(split.train, validation))


def _from_ids(ids: dict[str, list[Any]], images: ImageSet, *, source: str, protocol: str, seed: int) -> Split:
    row_of = {name: images.find(name) for role in ROLES for name in ids[role]}
    if unknown := [name for role in ROLES for name in ids[role] if row_of[name] is None]:
        named = ", ".join(map(str, unknown[:MAX_NAMED]))
        raise InputError(
            f"{source} names {len(unknown)} ids that {images.name} does not have, such as {named}; "
            f"ids look like {images.ids[0]}"
        )
    rows = {role: np.unique(np.array([row_of[name] for name in ids[role]], np.int64)) for role in ROLES}
    if not len(rows["query"]) or not len(rows["database"]):
        raise InputError(f"{source} needs images in both roles, query and database")
    if not len(rows["train"]):
        rows["train"] = np.setdiff1d(rows["database"], rows["validation"])
    for first, second in (("query", "database"), ("query", "train"), ("query", "validation"), ("validation", "train")):
        if len(both := np.intersect1d(rows[first], rows[second])):
            named = ", ".join(str(images.ids[row]) for row in both[:MAX_NAMED])
            raise InputError(f"{source} has {len(both)} ids in both {first} and {second}, such as {named}; choose one")
    return Split(**rows, protocol=protocol, seed=seed)


def _written(ids: np.ndarray) -> list[Any]:
    if ids.dtype.kind != "i":
        return ids.tolist()
    runs = np.split(ids, np.flatnonzero(np.diff(ids) != 1) + 1)
    return [f"{run[0]}-{run[-1]}" if len(run) > 1 else int(run[0]) for run in runs if len(run)]


def _expanded(ids: Iterable[Any], images: ImageSet) -> list[Any]:
    """Ids as in `images.ids`, ranges written out; invalid ones are returned unchanged, for the error message."""
    if images.ids.dtype.kind != "i":
        return [name if isinstance(name, str) else repr(name) for name in ids]
    expanded: list[Any] = []
    for item in ids:
        first, dash, last = str(item).partition("-")
        if dash and first.isdecimal() and last.isdecimal() and int(first) <= int(last) < len(images):
            expanded += range(int(first), int(last) + 1)
        else:
            expanded.append(_number(str(item)))
    return expanded


def _number(text: str) -> int | str:
    return int(text) if text.isdecimal() else text
