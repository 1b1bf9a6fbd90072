/** `npm run eval -- <suite>`: quality of a model through the engine that users run; the last line is one JSON object. */
const SUITES: Readonly<Record<string, () => Promise<{ run(): Promise<object> }>>> = {
  drafts: () => import('./drafts.ts'),
};

const [suite = ''] = process.argv.slice(2);
const load = SUITES[suite];
if (!load) {
  console.error(`Which suite? npm run eval -- ${Object.keys(SUITES).join(' | ')}`);
  process.exit(2);
}
const result = await (await load()).run();
console.log(JSON.stringify(result));

export {};
