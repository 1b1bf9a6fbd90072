/** Command lines of `npm run bench` and `npm run eval`: one suite by name; its last line is one JSON object. */
export type Suites = Readonly<Record<string, () => Promise<{ run(): Promise<object> }>>>;

export async function runSuite(command: string, suites: Suites): Promise<void> {
  const [name = ''] = process.argv.slice(2);
  const load = suites[name];
  if (!load) {
    console.error(`Which suite? npm run ${command} -- ${Object.keys(suites).join(' | ')}`);
    process.exitCode = 2;
    return;
  }
  console.log(JSON.stringify(await (await load()).run()));
}
