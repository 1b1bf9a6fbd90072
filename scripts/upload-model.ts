/** Puts a model into an R2 bucket: `npm run upload -- NAME BUCKET [--local | --remote]`; local is `wrangler dev`'s. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const [name, bucket, where = '--local', ...rest] = process.argv.slice(2);
if (!name || !bucket || rest.length > 0 || !['--local', '--remote'].includes(where)) {
  console.error('npm run upload -- NAME BUCKET [--local | --remote]');
  process.exit(1);
}
const directory = join('models', name);
const { shards } = JSON.parse(readFileSync(join(directory, 'manifest.json'), 'utf8')) as {
  shards: readonly { readonly file: string }[];
};
const wrangler = join(dirname(createRequire(import.meta.url).resolve('wrangler/package.json')), 'bin/wrangler.js');
// The manifest comes last: a model that has it is whole.
for (const file of ['config.json', 'tokenizer.json', ...shards.map((shard) => shard.file), 'manifest.json']) {
  const target = `${bucket}/models/${name}/${file}`;
  execFileSync(process.execPath, [wrangler, 'r2', 'object', 'put', target, '--file', join(directory, file), where], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  console.log(target);
}
