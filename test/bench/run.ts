/** `npm run bench -- <name>`: one suite; its last line is one JSON object. */
const SUITES: Readonly<Record<string, () => Promise<{ run(): Promise<object> }>>> = {
  decode: () => import('./decode.ts'),
};

const [suite = ''] = process.argv.slice(2);
const load = SUITES[suite];
if (!load) {
  console.error(`Which suite? npm run bench -- ${Object.keys(SUITES).join(' | ')}`);
  process.exit(2);
}
const result = await (await load()).run();
console.log(JSON.stringify(result));

export {};
