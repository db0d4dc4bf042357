"""Lists `[n, L]` in a new order: positions of items in them, sorting by values, and where a newcomer would stand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from transclipped.retrieval.lists import entries, parts


@dataclass(frozen=True)
class Order:
    """Lists `[n, L]` int64, and the values `[n, L]` float32 that they were sorted by, descending."""

    lists: np.ndarray
    values: np.ndarray

    def place(self, lists: np.ndarray, value: np.ndarray) -> np.ndarray:
        """How many entries of `lists` `[…]` have more than `value` `[…]`: the position of a newcomer, at least 1."""
        value, length = value.astype(np.float32), self.values.shape[1]
        return _leading(lambda at: self.values[lists, at] > value, lists.shape, length)


class Positions:
    """Where items stand in lists `[n, L]`."""

    def __init__(self, lists: np.ndarray) -> None:
        self._order = np.argsort(lists, 1).astype(np.int32)
        self._ranked = np.take_along_axis(lists, self._order, 1)

    def of(self, items: np.ndarray, lists: np.ndarray) -> np.ndarray:
        """Position of items `[…]` in lists `[…]`, from 0; L where they are absent."""
        length = self._ranked.shape[1]
        at = _leading(lambda at: self._ranked[lists, at] < items, items.shape, length)
        last = np.minimum(at, length - 1)
        present = (at < length) & (self._ranked[lists, last] == items)
        return np.where(present, self._order[lists, last], length)


def _leading(holds: Callable[[np.ndarray], np.ndarray], shape: tuple[int, ...], length: int) -> np.ndarray:
    """How many leading entries of a list hold, by bisection; what holds is asked of positions, `[…]` each."""
    count = np.zeros(shape, np.int64)
    step = 1 << length.bit_length() - 1
    while step:
        further = count + step
        count = np.where((further <= length) & holds(np.minimum(further, length) - 1), further, count)
        step //= 2
    return count


def back_positions(lists: np.ndarray) -> np.ndarray:
    """Position of i in the list of each entry of list i, `[n, L]` from 0; L where it is absent."""
    positions, result = Positions(lists), np.empty(lists.shape, np.int64)
    for part in parts(len(lists), lists.shape[1]):
        own = np.broadcast_to(np.arange(part.start, part.stop)[:, None], lists[part].shape)
        result[part] = positions.of(own, lists[part])
    return result


def sort(lists: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lists `[n, L]` and their values, descending; equal ones keep their order.

    A list's own item, which is the first, is the first again: it changes places with what has come to the front.
    """
    own = lists[:, :1]
    order = np.argsort(-values, 1, kind="stable")
    lists, values = np.take_along_axis(lists, order, 1), np.take_along_axis(values, order, 1)
    at, every = (lists == own).argmax(1), np.arange(len(lists))
    for x in (lists, values):
        x[every, at], x[:, 0] = x[:, 0], x[every, at]
    return lists, values


def ordered_by(lists: np.ndarray, values: Callable[[slice], np.ndarray], *, width: int = 0) -> np.ndarray:
    """All lists sorted by `values(part)` `[p, L]`, which may take `width` numbers for each list."""
    result = np.empty(lists.shape, np.int64)
    for part in parts(len(lists), max(width, lists.shape[1])):
        result[part] = sort(lists[part], values(part))[0]
    return result


def ordered_with_entering(lists: np.ndarray, values: Callable[[slice], sp.csr_array]) -> np.ndarray:
    """All lists, and further items that `values(part)` `[p, n]` stores a number of, sorted by it and cut to L."""
    result = np.empty(lists.shape, np.int64)
    for part in parts(len(lists), len(lists)):
        result[part] = with_entering(lists[part], values(part))
    return result


def with_entering(lists: np.ndarray, values: sp.csr_array) -> np.ndarray:
    """Lists `[p, L]` and all columns that `values` `[p, n]` stores, sorted and cut to L; a missing number is 0."""
    row, column = entries(values)
    new = Positions(lists).of(column, row) == lists.shape[1]
    row, column, data = row[new], column[new], values.data[new]
    count = np.bincount(row, minlength=len(lists))
    place = np.arange(len(row)) - np.repeat(count.cumsum() - count, count)
    extra = np.full((2, len(lists), int(count.max(initial=0))), -np.inf)
    extra[0, row, place], extra[1, row, place] = data, column
    known = sampled(values, lists)
    rows = np.concatenate([lists, np.maximum(extra[1], -1).astype(np.int64)], 1)
    return sort(rows, np.concatenate([known, extra[0]], 1))[0][:, : lists.shape[1]]


def sampled(a: sp.csr_array, columns: np.ndarray) -> np.ndarray:
    """Numbers of a sparse matrix `[p, n]` at columns `[p, L]`."""
    return np.take_along_axis(a.toarray(), columns, 1)
