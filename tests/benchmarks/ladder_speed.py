"""Time from a query's number to its ladder on the Pipeline page, in a real browser.

    python -m tests.benchmarks.ladder_speed [--line LINE …] [--queries 8]

Each line is computed first, for which it needs features of Caltech-101 once. Prints seconds from the key that enters a
number to the frame with all columns and means: the median and the slowest query. Target: at most 0.5 s.
"""

import argparse
import statistics
from urllib.parse import quote

from playwright.sync_api import Page

from tests.browser.serving import fresh_app
from transclipped.ui.pipeline.editor import DEFAULT, EXAMPLES

LINES = [DEFAULT, EXAMPLES["features"], EXAMPLES["maps"]]
PATIENCE = 600.0  # seconds, for features
IDLE = """document.querySelector('[data-testid="stApp"]')?.dataset.testScriptState === 'notRunning'"""
DRAWN = """() => [...document.querySelectorAll('.rung')].map(rung => rung.innerHTML).join()"""
READY = f"before => {IDLE} && document.querySelector('.rung') !== null && ({DRAWN})() !== before"
ENTERED = f"""([number, before]) => new Promise((resolve, reject) => {{
  const field = document.querySelector('.st-key-pipe_query input');
  const setter = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set;
  const start = performance.now(), ready = {READY};
  field.focus();
  setter.call(field, String(number));
  field.dispatchEvent(new Event('input', {{ bubbles: true }}));
  field.dispatchEvent(new KeyboardEvent('keydown', {{ key: 'Enter', bubbles: true }}));
  const look = () => {{
    if (ready(before)) requestAnimationFrame(() => resolve(performance.now() - start));
    else if (performance.now() - start > 60000) reject(new Error('no new ladder within a minute'));
    else requestAnimationFrame(look);
  }};
  look();
}})"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--line", nargs="+", default=LINES, help="pipelines (default: three)")
    parser.add_argument("--queries", type=int, default=8, help="queries after the first (default 8)")
    options = parser.parse_args()
    with fresh_app(patience=PATIENCE) as (address, tab):
        for line in options.line:
            times = measured(tab, f"{address}/pipeline?pipe={quote(line)}", options.queries)
            print(f"median {statistics.median(times):.2f} s, slowest {max(times):.2f} s: {line}", flush=True)


def measured(tab: Page, address: str, queries: int) -> list[float]:
    """Seconds until the ladders of some queries are drawn."""
    tab.goto(address)
    tab.wait_for_function(f"{IDLE} && document.querySelector('.rung, .st-key-compute button') !== null")
    if (compute := tab.locator(".st-key-compute button")).count():
        compute.click()
    tab.wait_for_function(READY, arg="")
    times = []
    for number in range(10, 10 + queries):
        times.append(tab.evaluate(ENTERED, [number, tab.evaluate(DRAWN)]) / 1000)
    return times


if __name__ == "__main__":
    main()
