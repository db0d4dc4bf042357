"""Sentences on why a hit is one count each thing once."""

import re

import numpy as np

from transclipped.analysis.reasons import SharedBits, SharedLeaves
from transclipped.ui.reasons import sentence


def numbers(text: str) -> list[str]:
    return re.findall(r"[−-]?\d+(?:\.\d+)?", text)


def test_leaves_are_counted_once():
    query, item = np.array([0, 1, 2, 3]), np.array([0, 1, 3, 0])
    text = sentence(SharedLeaves(query, item, depth=2, path=False))
    assert numbers(text) == ["2", "4", "2", "4", "0.500"]


def test_questions_are_counted_beside_the_leaves():
    query, item = np.array([0, 1, 2, 3]), np.array([0, 1, 3, 0])  # 2 + 2 + 1 + 0 answers alike
    text = sentence(SharedLeaves(query, item, depth=2, path=True))
    assert numbers(text) == ["2", "4", "5", "8", "4", "2", "5", "8", "0.625"]


def test_a_tree_without_questions_has_one_leaf():
    text = sentence(SharedLeaves(np.zeros(3, int), np.zeros(3, int), depth=0, path=True))
    assert numbers(text) == ["3", "3", "3", "3", "1.000"]


def test_bits_that_differ_count_against_those_that_agree():
    text = sentence(SharedBits(np.array([1, 1, 1, 0], bool), np.array([0, 0, 0, 0], bool)))
    assert numbers(text) == ["1", "4", "3", "1", "2", "3", "4", "−0.500"]
