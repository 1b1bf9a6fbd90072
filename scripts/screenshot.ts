/** `npm run screenshot -- [FILE]`: the page in Chromium while the default model writes on this machine. */
import { writeFile } from 'node:fs/promises';
import { launchChromium } from '../bench/decode/browser/chromium.ts';
import { createHost } from '../src/api/host.ts';
import { startServer } from '../src/hosts/node/host/server.ts';
import { readSettings } from '../src/hosts/settings.ts';
import { openEngine } from '../test/support/engines/engine.ts';
import { openApp } from '../test/support/hosts/open-app.ts';
import { PlaygroundPage } from '../test/support/hosts/playground-page.ts';
import { withAssets } from '../test/support/hosts/static-site.ts';

const [TO = 'docs/playground.png'] = process.argv.slice(2);
/** Pictures are taken after this number of settled tokens. */
const TOKENS = 24;
const LOOKS = 40;
const ENOUGH = 5;

const settings = readSettings(process.env);
const engine = await openEngine(settings.model);
const app = openApp(createHost({ modelName: settings.model, settings, load: async () => engine }));
const server = await startServer(withAssets(app, 'dist/assets'), 0, '127.0.0.1');
const browser = await launchChromium();
try {
  const context = await browser.newContext({ viewport: { width: 1120, height: 880 }, reducedMotion: 'reduce' });
  const url = new URL(`http://127.0.0.1:${server.address.port}`);
  const playground = await PlaygroundPage.open(context, url);
  await playground.choose('decoding', 'own');
  await playground.slide('block-length', 5);
  await playground.page.getByLabel('Threshold').fill('0.2');
  await playground.run();
  await playground.growing('settled', TOKENS);
  let [picture, drafts] = [await playground.page.screenshot(), 0];
  // Keeps the picture with the most open drafts.
  for (let i = 0; i < LOOKS && (await playground.isRunning()); i++) {
    const shown = await playground.page.locator('.denoise .draft').count();
    if (shown <= drafts || drafts >= ENOUGH) continue;
    [picture, drafts] = [await playground.page.screenshot(), shown];
  }
  await writeFile(TO, picture);
  console.log(`${TO}: ${drafts} drafts, ${picture.length} bytes`);
} finally {
  await browser.close();
  await server.stop(0);
}
