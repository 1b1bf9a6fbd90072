/** `npm run check-model -- NAME [--models DIR]`: loads a model as the server does and prints one page about it. */
import { parseArgs } from 'node:util';
import { storedTypes } from '../../src/convert/decisions.ts';
import { requireModelDirectory } from '../../src/hosts/node/host/source.ts';
import { SettingsError } from '../../src/hosts/settings.ts';
import { ModelLoadError } from '../../src/model/errors.ts';
import { manifestSchema } from '../../src/model/manifest.ts';
import { directorySource } from '../../src/sources/directory.ts';
import { openEngine } from '../../test/support/engines/engine.ts';
import { provenance } from '../provenance.ts';
import { checkPage } from './page.ts';
import { CHECK_PROMPTS } from './prompts.ts';

const USAGE = 'npm run check-model -- NAME [--models DIR]';

/** @returns whether texts that have to be equal are */
async function check(name: string, models: string): Promise<boolean> {
  await requireModelDirectory(name, { weights: { from: 'directory', at: models } });
  const source = directorySource(`${models}/${name}`);
  const { added_tokens: added = [] } = (await source.json('tokenizer.json')) as {
    added_tokens?: readonly { readonly id: number; readonly content: string }[];
  };
  const start = performance.now();
  const engine = await openEngine(name, models);
  const loadSeconds = (performance.now() - start) / 1000;
  const types = storedTypes(manifestSchema.parse(await source.json('manifest.json')).tensors);
  const tokens = new Map(added.map(({ id, content }) => [id, content]));
  const page = await checkPage({ engine, types, tokens, loadSeconds, where: provenance() }, CHECK_PROMPTS);
  console.log(page.text);
  return page.sound;
}

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { models: { type: 'string', default: 'models' } },
  });
  const [name, ...rest] = positionals;
  if (name === undefined || rest.length > 0) throw new SettingsError(USAGE);
  process.exitCode = (await check(name, values.models)) ? 0 : 1;
} catch (error) {
  const expected =
    error instanceof SettingsError ||
    error instanceof ModelLoadError ||
    String((error as { code?: unknown }).code).startsWith('ERR_PARSE_ARGS');
  console.error(expected ? (error as Error).message : error);
  process.exitCode = 1;
}
