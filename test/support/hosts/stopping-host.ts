/** A process like the Node host, with a fake engine: for tests that send it signals. Its one argument is the grace in seconds. */
import { Drain } from '../../../src/api/middleware/drain.ts';
import { startServer } from '../../../src/hosts/node/host/server.ts';
import { stopOnSignals } from '../../../src/hosts/node/host/stop.ts';
import { hastyService } from './hasty-service.ts';

const drain = new Drain();
const server = await startServer(
  hastyService(() => {}, drain),
  0,
  '127.0.0.1',
);
console.log(`on http://127.0.0.1:${server.address.port}`);
stopOnSignals(server, drain, Number(process.argv[2]));
