/**
 * `npm run measurements -- [JSON] [DOCUMENT]`: writes the tables of a document from the file of `npm run bench -- all`.
 * A table stands between `<!-- begin NAME -->` and `<!-- end NAME -->`. A suite that the file lacks keeps its table.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { fillTables } from './fill.ts';

const [file = 'docs/measurements.json', document = 'docs/measurements.md'] = process.argv.slice(2);
const { text, filled, kept } = fillTables(await readFile(document, 'utf8'), JSON.parse(await readFile(file, 'utf8')));
await writeFile(document, text);
console.log(`${document}: wrote ${filled.join(', ')}${kept.length > 0 ? `; kept ${kept.join(', ')}` : ''}`);
