// The figures of a run in words: medians over the rounds, their spread, and ratios within rounds.

const PRODUCT = "orchestrator";

/** Medians, spreads and ratios: one entry for each subject and variant. */
export function summary({ subjects, options }) {
  return options.variants.flatMap((variant) =>
    Object.keys(subjects)
      .filter((name) => subjects[name].variants[variant.name])
      .map((name) => entry(subjects, variant, name)));
}

function entry(subjects, variant, name) {
  const rounds = subjects[name].variants[variant.name];
  const of = (figure) => spread(rounds.map(figure));
  return {
    variant: variant.name,
    subject: name,
    durability: subjects[name].durability,
    errors: rounds.reduce((sum, { one, many }) => sum + one.errors + many.errors, 0),
    at_once: rounds[0].at_once,
    p50_ms: of(({ one }) => one.p50_ms),
    p99_ms: of(({ one }) => one.p99_ms),
    per_s: of(({ many }) => many.per_s),
    p50_at_once_ms: of(({ many }) => many.p50_ms),
    cpu_ms: of(({ cpu_ms }) => cpu_ms),
    written_kib: of(({ written_kib }) => written_kib),
    peak_mib: of(({ peak_mib }) => peak_mib),
    load: of(({ load }) => load),
    rows: rounds[0].rows && rowsOfRounds(rounds.map(({ rows }) => rows)),
    syncs: subjects[name].syncs,
    ...ratios(subjects, variant, name),
  };
}

/** Medians by table: a cron that fires within a round moves rows that are not the round's. */
function rowsOfRounds(all) {
  const store = (name) => {
    const tables = new Set(all.flatMap((rows) => Object.keys(rows[name])));
    const medians = [...tables].map((table) =>
      [table, spread(all.map((rows) => rows[name][table] ?? 0)).median]);
    return Object.fromEntries(medians.filter(([, n]) => n !== 0));
  };
  return { journal: store("journal"), d1: store("d1") };
}

/** The product's figures as shares of this subject's, round by round: below 1 it is quicker. */
function ratios(subjects, variant, name) {
  if (name === PRODUCT) return {};
  const ours = subjects[PRODUCT].variants[variant.name];
  const theirs = subjects[name].variants[variant.name];
  const ratio = (figure) => spread(
    ours.slice(0, theirs.length).map((round, n) => figure(round) / figure(theirs[n])));
  return {
    ratio_p50: ratio(({ one }) => one.p50_ms),
    ratio_per_s: ratio(({ many }) => many.per_s),
    ratio_cpu: ratio(({ cpu_ms }) => cpu_ms),
  };
}

/** Median, least and most. */
export function spread(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const even = sorted.length % 2 === 0;
  const median = even ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle];
  return { median, least: sorted[0], most: sorted.at(-1) };
}

const COLUMNS = [
  ["subject", -14, ({ subject }) => subject],
  ["p50 ms (spread)", -22, ({ p50_ms }) => spreadText(p50_ms, 2)],
  ["p99 ms", 8, ({ p99_ms }) => p99_ms.median.toFixed(1)],
  ["at once", 8, ({ at_once }) => String(at_once)],
  ["a second (spread)", -24, ({ per_s }) => ` ${spreadText(per_s, 1)}`],
  ["CPU ms", 8, ({ cpu_ms }) => cpu_ms.median.toFixed(2)],
  ["PSS MiB", 8, ({ peak_mib }) => peak_mib.most.toFixed(0)],
  ["KiB out", 8, ({ written_kib }) => written_kib.median.toFixed(1)],
  ["syncs", 7, ({ syncs }) => (syncs === null || syncs === undefined ? "-" : syncs.toFixed(1))],
  ["rows", 10, ({ rows }) => (rows ? `${rowsOf(rows.journal)}+${rowsOf(rows.d1)}` : "-")],
  ["load", 6, ({ load }) => load.median.toFixed(1)],
  ["errors", 7, ({ errors }) => String(errors)],
];

/** The whole run as text. */
export function table(result) {
  const { machine, options, subjects } = result;
  const lines = [
    `${result.at}: ${machine.cores} cores (${machine.model}), ${machine.memory_gib} GiB, ` +
      `load ${machine.load.join(" ")} at the start; ${options.rounds} rounds of ` +
      `${options.seconds} s; build profile ${options.short ? "local" : options.profile}`,
    "p50 and p99: one at a time. CPU, memory, bytes: of all processes of a subject, for each " +
      "execution under load.",
    "rows: in the journal + in D1, for each execution; index rows apart.",
    "",
    ...Object.entries(subjects).map(([name, { durability }]) => `${name}: ${durability}`),
  ];
  for (const variant of options.variants) {
    const entries = result.summary.filter((one) => one.variant === variant.name);
    if (entries.length === 0) continue;
    lines.push("", `${variant.name}: ${variant.what}`, row(([title]) => title));
    lines.push(...entries.map((one) => row(([, , text]) => text(one))));
    lines.push(...compared(result.summary, entries));
    const [{ rows }] = entries;
    if (rows) lines.push(`  rows in the journal: ${words(rows.journal)}; in D1: ${words(rows.d1)}`);
  }
  return `${lines.join("\n")}\n`;
}

function row(text) {
  const cells = COLUMNS.map((column) => {
    const [, width] = column;
    const cell = text(column);
    return width < 0 ? cell.padEnd(-width) : cell.padStart(width);
  });
  return `  ${cells.join(" ")}`.trimEnd();
}

function compared(all, entries) {
  const others = entries.filter(({ subject }) => subject !== PRODUCT);
  return others.map(({ subject, ratio_p50, ratio_per_s, ratio_cpu }) =>
    `  ${PRODUCT} / ${subject}: p50 ${spreadText(ratio_p50, 2)}, a second ` +
      `${spreadText(ratio_per_s, 2)}, CPU ${spreadText(ratio_cpu, 2)}`);
}

function spreadText({ median, least, most }, digits) {
  const [m, l, u] = [median, least, most].map((value) => value.toFixed(digits));
  return `${m} (${l}-${u})`;
}

const rowsOf = (tables) =>
  Object.values(tables).reduce((sum, rows) => sum + rows, 0).toFixed(1);

const words = (tables) =>
  Object.entries(tables).map(([name, n]) => `${name} ${Number(n.toFixed(2))}`).join(", ") || "none";
