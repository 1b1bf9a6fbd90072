/**
 * `npm run measurements -- [JSON]`: writes the tables of docs/measurements.md from the file of `npm run bench -- all`.
 * A table stands between `<!-- begin NAME -->` and `<!-- end NAME -->`. A suite that the file lacks keeps its table.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { fillTables } from './fill.ts';

const DOCUMENT = 'docs/measurements.md';
const [file = 'docs/measurements.json'] = process.argv.slice(2);
const { text, filled, kept } = fillTables(await readFile(DOCUMENT, 'utf8'), JSON.parse(await readFile(file, 'utf8')));
await writeFile(DOCUMENT, text);
console.log(`${DOCUMENT}: wrote ${filled.join(', ')}${kept.length > 0 ? `; kept ${kept.join(', ')}` : ''}`);
