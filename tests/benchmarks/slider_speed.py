"""Time from a move of Clipping's slider to its dot, in a real browser: `python -m tests.benchmarks.slider_speed`.

Prints, for batches of 128 and 512 images and each rule, milliseconds from the slider's input event to the painted
frame that holds the new dot, histogram and numbers: the median and the slowest of the slider's positions. The page
needs no server for it; the numbers below the slider, which do, follow on release.
"""

import argparse
import statistics

from tests.browser.serving import fresh_app
from transclipped.clipping import turned

IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'
MOVED = """async (slider) => {
  const times = [], root = slider.getRootNode();
  const frame = () => new Promise(requestAnimationFrame);
  for (let k = 0; k <= 100; k += 5) {
    await frame();
    const before = root.querySelector('.number b').textContent, start = performance.now();
    slider.value = k;
    slider.dispatchEvent(new Event('input'));
    await frame();
    await frame(); // the first one was painted
    times.push([performance.now() - start, before !== root.querySelector('.number b').textContent]);
  }
  return times;
}"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", type=int, default=[128, 512], help="images of the batch")
    options = parser.parse_args()
    with fresh_app() as (address, tab):
        for size in options.sizes:
            for rule in turned():
                tab.goto(f"{address}/clipping?from=lab&size={size}&clip_rule={rule.replace('+', '%2B')}")
                tab.wait_for_selector(IDLE)
                times = tab.locator('.histogram input[type="range"]').evaluate(MOVED)
                if not all(changed for _, changed in times[1:]):
                    raise SystemExit(f"the slider of {rule} did not change its number")
                values = [time for time, _ in times]
                print(f"{size:4} images  {rule:<15} median {statistics.median(values):5.0f} ms  {max(values):5.0f} ms")


if __name__ == "__main__":
    main()
