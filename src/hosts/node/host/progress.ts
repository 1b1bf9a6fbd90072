/** Shows on stderr how far a long transfer is: one line that moves on a terminal, a few lines elsewhere. */
import type { WriteStream } from 'node:tty';

/** On a terminal: shortest time between two drawings, in milliseconds. */
const REDRAW_MS = 100;
/** Elsewhere: one line after each such part of the whole. */
const PART = 0.25;
const BAR = 24;
const MIB = 2 ** 20;

export type Progress = (done: number, total: number) => void;

/** @param what the beginning of the line: it names the transfer */
export function progressLine(what: string, out: Pick<WriteStream, 'write' | 'isTTY'> = process.stderr): Progress {
  let told = 0;
  let drawn = Number.NEGATIVE_INFINITY;
  return (done, total) => {
    const part = total === 0 ? 1 : done / total;
    const digits = total < 10 * MIB ? 2 : 0;
    const figures = `${(done / MIB).toFixed(digits)} of ${(total / MIB).toFixed(digits)} MiB`;
    if (!out.isTTY) {
      if (part < told + PART && !(part === 1 && told < 1)) return;
      told = part === 1 ? 1 : Math.floor(part / PART) * PART;
      out.write(`${what}: ${figures}\n`);
      return;
    }
    const now = performance.now();
    if (part < 1 && now - drawn < REDRAW_MS) return;
    if (told === 1) return;
    if (part === 1) told = 1;
    drawn = now;
    const full = Math.floor(part * BAR);
    out.write(`\r${what} [${'='.repeat(full)}${' '.repeat(BAR - full)}] ${figures}${part === 1 ? '\n' : ''}`);
  };
}
