// The keyboard: a panel, the legend and each group of images are one tab stop; arrow keys move inside.

const KEYS = "Arrow keys go to the next point, plus and minus zoom, Home shows the whole map, Enter searches with the " +
  "image of a point, Space adds it to the selection or removes it, Escape clears. Enter on a small map enlarges it.";
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const STEP = 4; // px, least distance of the next point; nearer ones are reached after zooming in
const ZOOM = 1.35;

function panelKey(panel, event) {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const { map } = panel, row = map.hover >= 0 ? map.hover : map.picked;
  if (event.key in ARROWS) walk(panel, row, ...ARROWS[event.key]);
  else if (event.key === "+" || event.key === "=") zoomOn(panel, row, ZOOM);
  else if (event.key === "-" || event.key === "_") zoomOn(panel, row, 1 / ZOOM);
  else if (event.key === "Home") panel.fit();
  else if (event.key === "Enter" && panel !== map.large) map.enlarge(panel);
  else if (event.key === "Enter" && map.hover >= 0) map.pick(map.hover);
  else if (event.key === " " && map.hover >= 0) toggleChosen(map, map.hover);
  else return;
  event.preventDefault();
}

function walk(panel, row, dx, dy) {
  const { map } = panel;
  const next = row < 0 ? nearestOf(panel, panel.width / 2, panel.height / 2) : nextPoint(panel, row, dx, dy);
  if (next < 0) return;
  panel.reveal(next);
  const [x, y] = panel.place(next), box = panel.marks.getBoundingClientRect();
  map.point(next, box.left + x, box.top + y);
  map.said.textContent = map.about(next).join(", ");
}

// The nearest lit point in a direction, favouring those straight ahead; -1 if there is none.
function nextPoint(panel, row, dx, dy) {
  const { map } = panel, t = panel.transform(), [x0, y0] = panel.place(row, t);
  let best = Infinity, next = -1;
  for (let i = 0; i < map.n; i++) {
    const [x, y] = panel.place(i, t);
    const ahead = (x - x0) * dx + (y - y0) * dy, aside = Math.abs((x - x0) * dy) + Math.abs((y - y0) * dx);
    if (ahead < STEP || aside > 1.5 * ahead || !map.lit(i)) continue;
    const cost = ahead + 2 * aside;
    if (cost < best) [best, next] = [cost, i];
  }
  return next;
}

function nearestOf(panel, x0, y0) {
  const t = panel.transform();
  let best = Infinity, nearest = -1;
  for (let i = 0; i < panel.map.n; i++) {
    const [x, y] = panel.place(i, t), far = Math.hypot(x - x0, y - y0);
    if (far < best && panel.map.lit(i)) [best, nearest] = [far, i];
  }
  return nearest;
}

function zoomOn(panel, row, factor) {
  const [x, y] = row < 0 ? [panel.width / 2, panel.height / 2] : panel.place(row);
  panel.zoomAt(x, y, factor);
  if (row >= 0) panel.reveal(row);
}

function toggleChosen(map, row) {
  const rows = new Set(map.chosen || []);
  if (!rows.delete(row)) rows.add(row);
  map.choose([...rows].sort((a, b) => a - b));
}
