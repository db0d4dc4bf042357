// The large map as a file: an SVG of its view, with title and legend, or a PNG drawn from it.

const SHARP = 2; // pixels of a PNG per px
const LEGEND_LINE = 22; // px
const IMAGE_SIDE = 64; // pixels of an image in the file

async function saveMap(map, kind) {
  const text = svgOf(map), file = `${map.data.file}-${map.large.about.name}.${kind}`.replace(/[^\w.-]+/g, "-");
  const svg = new Blob([text], { type: "image/svg+xml" });
  download(kind === "svg" ? svg : await pngOf(svg), file);
}

function download(blob, name) {
  const url = URL.createObjectURL(blob);
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

async function pngOf(svg) {
  const url = URL.createObjectURL(svg), image = new Image();
  image.src = url;
  await image.decode();
  const canvas = element("canvas");
  canvas.width = image.width * SHARP;
  canvas.height = image.height * SHARP;
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(url);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

function svgOf(map) {
  const panel = map.large, { width, height } = panel, t = panel.transform();
  const measure = element("canvas").getContext("2d");
  measure.font = "14px sans-serif";
  const textWidth = (text) => measure.measureText(text).width;
  const head = 28, [legend, below] = legendOf(map, width, textWidth, head + height + 8);
  const body = [...pointsOf(panel, t), ...marksOf(panel, t), ...namesOf(panel, t, textWidth)].join("\n");
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${head + height + 8 + below}"
font-family="sans-serif" font-size="14" fill="${map.ink}">
<rect width="100%" height="100%" fill="${map.paperName}"/>
<text x="4" y="18"><tspan font-weight="bold">${escaped(panel.about.name)}</tspan> ${escaped(panel.about.note)}</text>
<svg y="${head}" width="${width}" height="${height}">
${body}
</svg>
${legend}
</svg>`;
}

function pointsOf(panel, t) {
  const { map } = panel, rows = panel.imaged(t), radius = panel.radius().toFixed(2);
  if (rows.length) return rows.map((row) => imageOf(panel, row, t, panel.side(rows)));
  const circle = (row) => {
    const [x, y] = panel.place(row, t);
    if (x < -9 || y < -9 || x > panel.width + 9 || y > panel.height + 9) return "";
    return `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="${radius}"/>`;
  };
  const groups = new Map([["grey", []], ...map.data.legend.map((_, i) => [i, []])]);
  for (let row = 0; row < map.n; row++) groups.get(map.lit(row) ? map.colour[row] : "grey")?.push(circle(row));
  const strength = map.n > 3000 ? 0.75 : 0.88;
  return [...groups]
    .filter(([, circles]) => circles.length)
    .map(([entry, circles]) => {
      const grey = entry === "grey" || map.data.legend[entry].faint;
      const colour = entry === "grey" ? `rgb(${GREY})` : map.data.legend[entry].colour;
      return `<g fill="${colour}" fill-opacity="${grey ? 0.42 : strength}">${circles.join("")}</g>`;
    });
}

function imageOf(panel, row, t, side) {
  const { map } = panel, { tile } = map.data, [x, y] = panel.place(row, t);
  const sheet = map.sheet(row), [, across, down] = map.cut(row);
  if (!sheet) return "";
  const canvas = element("canvas", { width: IMAGE_SIDE, height: IMAGE_SIDE }), context = canvas.getContext("2d");
  context.imageSmoothingEnabled = tile > 32;
  context.drawImage(sheet, across * tile, down * tile, tile, tile, 0, 0, IMAGE_SIDE, IMAGE_SIDE);
  const box = (grown) =>
    `x="${(x - side / 2 - grown).toFixed(1)}" y="${(y - side / 2 - grown).toFixed(1)}" ` +
    `width="${(side + 2 * grown).toFixed(1)}" height="${(side + 2 * grown).toFixed(1)}"`;
  const lit = map.lit(row), frame = lit ? map.data.legend[map.colour[row]]?.colour : `rgb(${GREY})`;
  const image = `<rect ${box(2)} fill="${frame}"/><image ${box(0)} href="${canvas.toDataURL("image/jpeg", 0.9)}"/>`;
  return `<g opacity="${lit ? 1 : 0.45}">${image}</g>`;
}

function marksOf(panel, t) {
  const { map } = panel, star = map.data.star?.[panel.about.name];
  const from = map.picked >= 0 ? panel.place(map.picked, t) : star ? panel.toScreen(star, t) : null;
  if (!from) return [];
  const circle = ([x, y], radius, width) =>
    `<circle cx="${x}" cy="${y}" r="${radius}" fill="none" stroke="${map.ink}" stroke-width="${width}"/>`;
  const lines = (map.data.neighbours || []).map((row) => {
    const to = panel.place(row, t);
    const line = `<line x1="${from[0]}" y1="${from[1]}" x2="${to[0]}" y2="${to[1]}" stroke="${map.ink}" stroke-opacity="0.55"/>`;
    return line + circle(to, 5, 1.6);
  });
  return [...lines, map.picked >= 0 ? circle(from, 8, 3) : `<text x="${from[0] - 9}" y="${from[1] + 7}" font-size="22">★</text>`];
}

function namesOf(panel, t, textWidth) {
  const look = `text-anchor="middle" dominant-baseline="middle" font-weight="600" stroke="${panel.map.paperName}" ` +
    'stroke-width="4" stroke-linejoin="round" paint-order="stroke"';
  return panel.names(t, textWidth).map(([text, x, y]) => `<text x="${x}" y="${y}" ${look}>${escaped(text)}</text>`);
}

// The legend below the map, and its height.
function legendOf(map, width, textWidth, top) {
  if (map.data.ramp) {
    const stops = map.data.legend.map((entry, i) => `<rect x="${90 + 5 * i}" y="${top}" width="5" height="12" fill="${entry.colour}"/>`);
    const [from, to] = map.data.ramp.map(escaped);
    return [`<text x="4" y="${top + 11}">${from}</text>${stops.join("")}<text x="${98 + 5 * stops.length}" y="${top + 11}">${to}</text>`, LEGEND_LINE];
  }
  let x = 4, y = top;
  const entries = map.data.legend.map((entry) => {
    const wide = textWidth(entry.name) + 34;
    if (x > 4 && x + wide > width) [x, y] = [4, y + LEGEND_LINE];
    const text = `<circle cx="${x + 6}" cy="${y + 7}" r="6" fill="${entry.colour}"/><text x="${x + 17}" y="${y + 12}">${escaped(entry.name)}</text>`;
    x += wide;
    return text;
  });
  return [entries.join("\n"), y - top + LEGEND_LINE];
}

function escaped(text) {
  return String(text).replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
