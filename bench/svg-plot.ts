/** Line plots as SVG text, side by side, for the documents. Their colours follow the reader's light or dark page. */

interface Axis {
  readonly label: string;
  readonly scale: 'linear' | 'log2';
  /** Ascending; the first and the last bound the axis. */
  readonly ticks: readonly number[];
}

export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  readonly dashed?: boolean;
  /** A mark at each point: a measurement, not a formula. */
  readonly marks?: boolean;
  /** Short text above each point. */
  readonly labels?: readonly string[];
}

export interface Plot {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
}

const WIDTH = 480;
const HEIGHT = 340;
const MARGIN = { left: 56, right: 16, top: 36, bottom: 46 } as const;
const LEGEND_LINE = 18;
const LEGEND_TOP = HEIGHT + 10;

/** Told apart by those who see colours differently, too; after Okabe and Ito. One set for light pages, one for dark. */
const LIGHT = ['#0072b2', '#d55e00', '#007a5a', '#a3478a', '#8a6d00', '#555555'] as const;
const DARK = ['#56b4e9', '#ff8c42', '#2ec4a0', '#e79bcf', '#f0d24a', '#b0b0b0'] as const;

const colours = (set: readonly string[]) => set.map((colour, i) => `.s${i}{--c:${colour}}`).join('');
const STYLE = [
  'svg{font:12px system-ui,sans-serif;--ink:#1f2328;--grid:#d0d7de}',
  colours(LIGHT),
  `@media(prefers-color-scheme:dark){svg{--ink:#e6edf3;--grid:#3d444d}${colours(DARK)}}`,
  'text{fill:var(--ink)}.title{font-weight:600;font-size:14px}.grid{stroke:var(--grid);stroke-width:1}',
  '.line{stroke:var(--c);stroke-width:2;fill:none}.mark{fill:var(--c)}.note{fill:var(--c);font-size:11px}',
].join('\n');

/**
 * @param description what a reader who cannot see the plots should know
 * @throws RangeError on a point that is not a number, or that a logarithmic axis cannot show
 */
export function svgPlots(plots: readonly Plot[], description: string): string {
  const lines = Math.max(...plots.map((plot) => plot.series.length));
  const width = WIDTH * plots.length;
  const height = LEGEND_TOP + lines * LEGEND_LINE;
  const panels = plots.map((plot, i) => `<g transform="translate(${i * WIDTH},0)">${panel(plot)}</g>`);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escaped(description)}</title>`,
    `<style>${STYLE}</style>`,
    ...panels,
    '</svg>\n',
  ].join('\n');
}

function panel({ title, x, y, series }: Plot): string {
  const right = WIDTH - MARGIN.right;
  const bottom = HEIGHT - MARGIN.bottom;
  const toX = scale(x, MARGIN.left, right);
  const toY = scale(y, bottom, MARGIN.top);
  const parts = [text(MARGIN.left, 20, title, 'start', 'title')];
  for (const tick of x.ticks) {
    parts.push(line(toX(tick), MARGIN.top, toX(tick), bottom), text(toX(tick), bottom + 16, String(tick), 'middle'));
  }
  for (const tick of y.ticks) {
    parts.push(
      line(MARGIN.left, toY(tick), right, toY(tick)),
      text(MARGIN.left - 6, toY(tick) + 4, String(tick), 'end'),
    );
  }
  const middle = (MARGIN.top + bottom) / 2;
  parts.push(text((MARGIN.left + right) / 2, bottom + 36, x.label, 'middle'));
  parts.push(`<g transform="rotate(-90 14 ${middle})">${text(14, middle, y.label, 'middle')}</g>`);
  series.forEach((one, i) => {
    parts.push(curve(one, i, toX, toY), legend(one, i));
  });
  return parts.join('\n');
}

function curve({ name, points, dashed, marks, labels }: Series, index: number, toX: Scale, toY: Scale): string {
  const at = points.map(([x, y]) => {
    const place = [toX(x), toY(y)] as const;
    if (!place.every(Number.isFinite)) throw new RangeError(`${name} has no place for the point ${x}, ${y}`);
    return place;
  });
  const path = at.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${x} ${y}`).join('');
  const dots = marks ? at.map(([x, y]) => `<circle class="mark" cx="${x}" cy="${y}" r="3"/>`) : [];
  const notes = at.map(([x, y], i) => (labels?.[i] ? text(x, y - 7, labels[i], 'middle', 'note') : ''));
  return `<g class="s${index % LIGHT.length}"><path class="line"${dash(dashed)} d="${path}"/>${[...dots, ...notes].join('')}</g>`;
}

function legend({ name, dashed }: Series, index: number): string {
  const y = LEGEND_TOP + index * LEGEND_LINE;
  const from = MARGIN.left;
  const sample = `<path class="line"${dash(dashed)} d="M${from} ${y}H${from + 28}"/>`;
  return `<g class="s${index % LIGHT.length}">${sample}</g>${text(from + 36, y + 4, name, 'start')}`;
}

type Scale = (value: number) => number;

/** Values to pixels, to a tenth. */
function scale({ scale: kind, ticks }: Axis, from: number, to: number): Scale {
  const project = kind === 'log2' ? Math.log2 : (value: number) => value;
  const low = project(ticks[0]!);
  const high = project(ticks.at(-1) ?? 1);
  return (value) => Number((from + ((project(value) - low) / (high - low)) * (to - from)).toFixed(1));
}

function line(x1: number, y1: number, x2: number, y2: number): string {
  return `<line class="grid" x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}"/>`;
}

function text(x: number, y: number, words: string, anchor: 'start' | 'middle' | 'end', style?: string): string {
  return `<text${style ? ` class="${style}"` : ''} x="${x}" y="${y}" text-anchor="${anchor}">${escaped(words)}</text>`;
}

function dash(dashed: boolean | undefined): string {
  return dashed ? ' stroke-dasharray="6 4"' : '';
}

function escaped(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
