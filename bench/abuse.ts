/** Load and abuse in full: random cancels, slow readers, spoiled bodies, killed hosts. Counts what is left behind. */
import { cancelStorm, socketStorm } from '../test/abuse/cancels.ts';
import { fuzz, fuzzOverSocket } from '../test/abuse/fuzz.ts';
import { killAndRestart } from '../test/abuse/kill.ts';
import { slowReaders } from '../test/abuse/slow-readers.ts';
import { startTinyNode, tinyModels } from '../test/abuse/tiny-host.ts';
import { tinyService } from '../test/abuse/tiny-service.ts';
import { bundleWorker } from '../test/support/hosts/bare-workerd.ts';
import { startNodeProcess } from '../test/support/hosts/node-process.ts';

const REQUESTS = 9000;
const REQUESTS_OVER_SOCKETS = 1000;
const READERS = 50;
const BODIES = 19_000;
const BODIES_OVER_SOCKETS = 1000;

/** A line for whoever watches. */
function told<T extends object>(name: string, result: T): T {
  console.log(name, result);
  return result;
}

export async function run(): Promise<object> {
  const service = await tinyService();
  const cancels = told('cancels', await cancelStorm(service, REQUESTS));
  const socketCancels = told('cancels over sockets', await socketStorm(service, REQUESTS_OVER_SOCKETS, 100_000));
  const bodies = told('bodies', await fuzz(service, BODIES));
  const socketBodies = told('bodies over a socket', await fuzzOverSocket(service, BODIES_OVER_SOCKETS, 1_000_000));

  const flood = await bundleWorker('flood-worker.ts');
  const fake = await bundleWorker('fake-worker.ts');
  try {
    const node = await startNodeProcess('flood-node.ts');
    const nodeReaders = told('slow readers, node', await slowReaders(node, READERS));
    await node.stop();
    const workerd = await flood.start(0);
    const workerdReaders = told('slow readers, workerd', await slowReaders(workerd, READERS));
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
