/** Makes `docs/playground.png`: the page in Chromium while the default model writes on this machine. */
import { createApp } from '../src/api/app.ts';
import { createHost } from '../src/api/host.ts';
import { withAssets } from '../src/node-assets.ts';
import { startServer } from '../src/node-server.ts';
import { readSettings } from '../src/settings.ts';
import { launchChromium } from '../test/support/chromium.ts';
import { openEngine } from '../test/support/engine.ts';
import { PlaygroundPage } from '../test/support/playground-page.ts';

const TO = 'docs/playground.png';
/** Settled tokens at which the picture is taken. */
const TOKENS = 40;

const settings = readSettings(process.env);
const engine = await openEngine(settings.model);
const app = createApp(createHost({ modelName: settings.model, settings, load: async () => engine }));
const server = await startServer(withAssets(app, 'dist/assets'), 0, '127.0.0.1');
const browser = await launchChromium();
try {
  const context = await browser.newContext({ viewport: { width: 1120, height: 820 }, reducedMotion: 'reduce' });
  const url = new URL(`http://127.0.0.1:${server.address.port}`);
  const playground = await PlaygroundPage.open(context, url);
  await playground.slide('block-length', 5);
  await playground.run();
  await playground.growing('settled', TOKENS);
  await playground.page.screenshot({ path: TO });
  console.log(`${TO}: ${await playground.reading('Tokens')} tokens`);
} finally {
  await browser.close();
  await server.stop(0);
}
