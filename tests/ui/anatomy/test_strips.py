"""Strips of numbers: colours, tooltips, and frames around picked numbers."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from transclipped.ui.anatomy import strips
from transclipped.ui.anatomy.strips import HeatStrips


@pytest.mark.parametrize(
    ("share", "colour"),
    [(-7, "#2166ac"), (-1, "#2166ac"), (0, "#f7f7f7"), (0.25, "#f6cebc"), (0.5, "#f4a582"), (1, "#b2182b")],
)
def test_colours_run_from_blue_to_red(share, colour):
    assert strips.colours(np.array([share])) == [colour]


def test_tooltips_hold_the_numbers_in_order():
    values = np.array([[0.5, -0.25], [0.001, -0.001]])
    html = HeatStrips(values, ["one", "two"], what="number", height=2, limit=1.0, written=True).html()
    tooltips = ["number 0: 0.500", "number 1: −0.250", "number 0: 0.001", "number 1: −0.001"]
    assert re.findall(r'title="([^"]+)"', html) == tooltips
    assert re.findall(r">([−\d.]+)</i>", html) == ["0.50", "−0.25", "0.00", "0.00"]  # no −0.00
    assert re.findall(r"<span>(\w+)</span>", html) == ["one", "two"]


def test_names_are_text():
    strip = HeatStrips(np.ones((1, 1)), ["<b>"], what="<img>", height=2)
    for drawn in (strip.html(), strip.svg().decode()):
        assert "&lt;b&gt;" in drawn and "&lt;img&gt;" in drawn and "<img" not in drawn


def test_the_picked_number_of_each_row_is_framed_and_follows_it():
    values = np.arange(6.0).reshape(2, 3) - 2
    html = HeatStrips(values, what="codeword", height=2, picked=np.array([0, 2], np.uint8)).html()
    assert re.findall(r'class="picked [^>]+title="([^"]+)"', html) == ["codeword 0: −2.000", "codeword 2: 3.000"]
    assert re.findall(r"<b>([^<]+)</b>", html) == ["−2.000", "+3.000"]


def test_an_outlier_does_not_pale_the_rest():
    values = np.ones((1, 200))
    values[0, 0] = 1000
    assert HeatStrips(values, what="number", height=2).html().count("#b2182b") == 200


def test_zeros_are_drawn():
    assert HeatStrips(np.zeros((1, 3)), what="number", height=2).html().count("#f7f7f7") == 3


def test_the_csv_has_a_row_for_each_number():
    table = (
        HeatStrips(np.array([[0.5, -0.25], [1.0, 2.0]]), ["a", "b"], what="number", height=2).csv().decode("utf-8-sig")
    )
    assert table.splitlines() == ["line,number,value", "a,0,0.5", "a,1,-0.25", "b,0,1.0", "b,1,2.0"]
    table = HeatStrips(np.array([[3.0]]), what="number", height=2).csv().decode("utf-8-sig")
    assert table.splitlines() == ["number,value", "0,3.0"]


def test_the_svg_is_well_formed_and_has_a_box_for_each_number():
    values = np.array([[-1.0, 0.0, 0.5], [0.25, 1.0, -0.5]])
    root = ElementTree.fromstring(HeatStrips(values, ["one", "two"], what="number", limit=1.0, height=2).svg())
    assert (
        root.get("viewBox") == f"0 0 {root.get('width')} {root.get('height')}"
    )  # otherwise it does not scale in a page
    boxes = root.findall("{*}rect")
    assert [box.get("fill") for box in boxes] == strips.colours(values.ravel())
    assert boxes[1].find("{*}title").text == "number 1: 0.000"
    assert boxes[3].find("{*}title").text == "number 0: 0.250"
    assert [text.text for text in root.findall("{*}text")] == ["one", "two"]
    right = max(float(box.get("x")) + float(box.get("width")) for box in boxes)
    assert right <= float(root.get("width"))


def test_the_svg_frames_picked_numbers_and_writes_them_after_the_row():
    values = np.arange(6.0).reshape(2, 3) - 2
    plain, framed = (
        ElementTree.fromstring(HeatStrips(values, what="codeword", height=2, picked=picked).svg())
        for picked in (None, np.array([0, 2], np.uint8))
    )
    assert [text.text for text in framed.findall("{*}text")] == ["−2.000", "+3.000"]
    boxes = [box for box in framed.findall("{*}rect") if box.find("{*}title") is not None]
    frames = [box for box in framed.findall("{*}rect") if box.get("fill") == "none"]
    assert len(boxes) == 6
    assert {_middle(frame) for frame in frames} == {_middle(boxes[0]), _middle(boxes[5])}
    starts = {float(text.get("x")) for text in framed.findall("{*}text")}
    assert float(plain.get("width")) < min(starts) == max(starts) < float(framed.get("width"))


def test_numbers_written_on_the_page_are_written_in_the_svg():
    values = np.array([[0.5, -0.25], [0.001, -0.9]])
    root = ElementTree.fromstring(HeatStrips(values, what="number", height=2, limit=1.0, written=True).svg())
    texts = root.findall("{*}text")
    assert [text.text for text in texts] == ["0.50", "−0.25", "0.00", "−0.90"]
    assert [text.get("fill") for text in texts] == [strips.INK] * 3 + [strips.PAPER]
    assert [float(text.get("x")) for text in texts] == [_middle(box)[0] for box in root.findall("{*}rect")]


def _middle(box) -> tuple[float, float]:
    x, y, width, height = (float(box.get(name)) for name in ("x", "y", "width", "height"))
    return x + width / 2, y + height / 2
