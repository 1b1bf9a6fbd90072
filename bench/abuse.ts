/** Load and abuse in full: random cancels, slow readers, spoiled bodies, killed hosts. Counts leftovers. */
import { cancelStorm, socketStorm } from '../test/abuse/cancels.ts';
import { fuzz, fuzzOverSocket } from '../test/abuse/fuzz.ts';
import { killAndRestart } from '../test/abuse/kill.ts';
import { slowReaders } from '../test/abuse/slow-readers.ts';
import { startTinyNode, tinyModels } from '../test/abuse/tiny-host.ts';
import { tinyService } from '../test/abuse/tiny-service.ts';
import { bundleWorker } from '../test/support/hosts/bare-workerd.ts';
import { startNodeProcess } from '../test/support/hosts/node-process.ts';
import { size } from './settings.ts';

/** Of them a tenth over sockets. Spoiled bodies are twice as many, a twentieth of them over a socket. */
const ALL_REQUESTS = 10_000;
const MOST_READERS = 50;

/** A line for whoever watches. */
function told<T extends object>(name: string, result: T): T {
  console.log(name, result);
  return result;
}

export async function run(): Promise<object> {
  const requests = size('BENCH_REQUESTS', ALL_REQUESTS, 10);
  const overSockets = Math.floor(requests / 10);
  const readers = Math.min(MOST_READERS, Math.ceil(requests / 200));
  const service = await tinyService();
  const cancels = told('cancels', await cancelStorm(service, requests - overSockets));
  const socketCancels = told('cancels over sockets', await socketStorm(service, overSockets, 100_000));
  const bodies = told('bodies', await fuzz(service, 2 * requests - overSockets));
  const socketBodies = told('bodies over a socket', await fuzzOverSocket(service, overSockets, 1_000_000));

  const flood = await bundleWorker('flood-worker.ts');
  const fake = await bundleWorker('fake-worker.ts');
  try {
    const node = await startNodeProcess('flood-node.ts');
    const nodeReaders = told('slow readers, node', await slowReaders(node, readers));
    await node.stop();
    const workerd = await flood.start(0);
    const workerdReaders = told('slow readers, workerd', await slowReaders(workerd, readers));
    await workerd.stop();
    const models = await tinyModels();
    const long = { max_tokens: 30_000, logit_bias: { 256: -100 } };
    const nodeKilled = told('killed, node', await killAndRestart((port) => startTinyNode(models, port), long));
    const workerdKilled = told('killed, workerd', await killAndRestart((port) => fake.start(port), {}));
    return {
      cancels,
      socket_cancels: socketCancels,
      bodies,
      socket_bodies: socketBodies,
      slow_readers: { node: nodeReaders, workerd: workerdReaders },
      killed: { node: nodeKilled, workerd: workerdKilled },
    };
  } finally {
    await Promise.all([flood.remove(), fake.remove()]);
  }
}
