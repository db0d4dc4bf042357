"""Foreign text is shown literally by Streamlit's Markdown and Plotly in a real browser."""

import json
import os
from pathlib import Path

import pytest

from tests.browser.conftest import settled
from tests.browser.serving import served
from transclipped.ui.text import visible

HOST = "host.example"
TEXTS = [
    f'<a href="http://{HOST}/a">link</a>', f"![x](http://{HOST}/y.png)", "$x^2$ and $$y$$", ":smile: ::tada::tada:",
    ":red[text] :red-badge[x] :small[y]", ':color[a]{foreground="red"}', ":material/home: :material_home: :streamlit:",
    f"[a](http://{HOST}) [[b]] [^1]", "*a* **b** _c_ __d__ ~~e~~ `f` ``g``", "<br> <b>x</b> <script>1</script>",
    "&amp; &lt; &#36; &copy &nbsp;", f"http://{HOST}/x?y=1&z=2 HTTPS://{HOST}", f"www.{HOST} WWW.{HOST}",
    f"a.b@{HOST} mailto:a@{HOST} xmpp:a@{HOST}/x <a@{HOST}>", "# h", "- a", "1. a", "2) b", "> q", "| a | b |",
    "line one\nline two\n\n# three", "| a | b |\n|---|---|\n| 1 | 2 |", "    code", "```py", "---", "===",
    "a\u202egnp.exe", "x\u2066y", "n\x00l", "\x1b[31m", "a  b", " lead and trail ", "[x]: http://host", "\\",
    "a\\\\$x$\\",
    "C:\\dir\\new:x:y", "/home/u/a_b-c.d/_x_/#1", "a -> b <- c <-> d -- e >= f <= g ~= h", "->", "::->{x}::",
    "::note[x]{a=b}", ":::box", "12:30:45 :+1: :-1:", "x" * 5000, "日本 :smile: ü", "<!-- x -->", "1986. A great year",
    "- [ ] task", "Setext\n===", "{.class}", "a]b[c",
]  # rows of a table  # fmt: skip
ELEMENTS = (
    "a, img, code, pre, em, del, h1, h2, ul, ol, table, br, hr, blockquote, sup, .katex, [role=img], [style*=color]"
)
ALLOWED = {"button": "", "choice": "", "markdown": "", "sentence": ".katex, [role=img]"}  # drawn by Streamlit itself


@pytest.fixture(scope="module")
def text_server(tmp_path_factory):
    """Address of an app that shows TEXTS."""
    file = tmp_path_factory.mktemp("texts") / "texts.json"
    file.write_text(json.dumps(TEXTS), encoding="utf-8")
    with served({**os.environ, "TEXTS": str(file)}, app=Path(__file__).with_name("text_app.py")) as (address, _):
        yield address


@pytest.fixture
def contacted(page, text_server) -> list[str]:
    """URLs on other hosts that the browser requests."""
    addresses: list[str] = []

    def check(route) -> None:
        if route.request.url.startswith((text_server, "data:", "blob:", "ws:")):
            route.continue_()
        else:
            addresses.append(route.request.url)
            route.abort()

    page.route("**/*", check)
    return addresses


@pytest.mark.parametrize("kind", ["markdown", "sentence", "button", "choice"])
def test_markdown_shows_exactly_these_characters(page, text_server, contacted, kind) -> None:
    page.goto(f"{text_server}/?kind={kind}")
    settled(page)
    page.wait_for_selector(f".st-key-text-{len(TEXTS) - 1} p")
    page.wait_for_selector("[data-testid=stSkeleton]", state="detached")  # an extension is still loading
    results = page.evaluate(
        """([n, elements, allowed]) => [...Array(n).keys()].map((i) => {
            const box = document.querySelector(`.st-key-text-${i}`);
            const odd = [...box.querySelectorAll(elements)].filter((e) => !allowed || !e.closest(allowed));
            return [box.innerText, odd.map((e) => e.outerHTML), box.scrollWidth - box.clientWidth];
        })""",
        [len(TEXTS), ELEMENTS, ALLOWED[kind]],
    )
    for text, (rendered, odd, overflow) in zip(TEXTS, results, strict=True):
        expected = visible(text)
        rendered = rendered.replace("\u00a0", " ")
        assert (expected in rendered) if kind in ("sentence", "choice") else (rendered == expected), (text, rendered)
        assert (odd, overflow) == ([], 0), text
    assert contacted == []


def test_plotly_shows_exactly_these_characters(page, text_server, contacted) -> None:
    page.goto(f"{text_server}/?kind=plotly")
    settled(page)
    page.wait_for_selector(".js-plotly-plot .ytick text")
    rendered = page.evaluate("[...document.querySelectorAll('.ytick text')].map((e) => e.textContent)")
    assert {visible(text).split().__repr__() for text in TEXTS} <= {text.split().__repr__() for text in rendered}
    assert page.locator(".legendtext").last.text_content() == visible(TEXTS[1])
    assert page.locator(".xtitle").text_content() == visible(TEXTS[2])
    assert page.locator(".js-plotly-plot svg a, .js-plotly-plot svg image").count() == 0
    assert contacted == []
