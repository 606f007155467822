// The figures of a run as bars: executions a second, latency and CPU time of each subject.

const WIDTH = 920;
const LEFT = 130;
const BAR = 18;
const GAP = 6;
const TITLE = 34;
const COLOURS = { orchestrator: "#2563eb", against: "#60a5fa", floor: "#a3a3a3" };
const PEER = "#f59e0b";
const PANELS = [
  ["executions a second", "per_s", "more is better"],
  ["p50 one at a time, ms", "p50_ms", "less is better"],
  ["CPU ms for each", "cpu_ms", "less is better"],
];

/** An SVG document. */
export function chart({ at, machine, options, summary }) {
  const parts = [];
  let y = 56;
  for (const { name, what } of options.variants) {
    const entries = summary.filter(({ variant }) => variant === name);
    if (entries.length === 0) continue;
    parts.push(text(12, y, `${name}: ${what}`, 'font-weight="bold"'));
    y += TITLE;
    parts.push(...PANELS.map((panel, n) => bars(panel, entries, n, y)));
    y += entries.length * (BAR + GAP) + TITLE;
  }
  const about = `${at}, ${machine.cores} cores, load ${machine.load[0]}, ${options.rounds} rounds`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y}" ` +
      `font-family="sans-serif" font-size="12">`,
    '<rect width="100%" height="100%" fill="white"/>',
    text(12, 24, about, 'font-size="14"'),
    ...parts,
    "</svg>\n",
  ].join("\n");
}

function bars([title, figure, hint], entries, place, top) {
  const width = (WIDTH - LEFT) / PANELS.length;
  const x = LEFT + place * width;
  const most = Math.max(...entries.map((entry) => entry[figure].most), Number.MIN_VALUE);
  const room = width - 78;
  const lines = [text(x, top - 10, `${title} (${hint})`, 'fill="#525252" font-size="11"')];
  entries.forEach((entry, n) => {
    const y = top + n * (BAR + GAP);
    const { median, least, most: highest } = entry[figure];
    const scaled = (value) => ((value / most) * room).toFixed(1);
    const colour = COLOURS[entry.subject] ?? PEER;
    if (place === 0) lines.push(text(12, y + 13, entry.subject));
    lines.push(
      `<rect x="${x}" y="${y}" width="${scaled(median)}" height="${BAR}" fill="${colour}"/>`,
      `<line x1="${x + Number(scaled(least))}" x2="${x + Number(scaled(highest))}" ` +
        `y1="${y + BAR / 2}" y2="${y + BAR / 2}" stroke="black"/>`,
      text(x + Number(scaled(highest)) + 6, y + 13, median.toPrecision(3)),
    );
  });
  return lines.join("\n");
}

function text(x, y, words, more = "") {
  const safe = words.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${x}" y="${y}" ${more}>${safe}</text>`;
}
