import { startServer } from '../../../src/hosts/node/host/server.ts';
import { floodService } from './flood-service.ts';

const { address } = await startServer(floodService(), Number(process.env.PORT ?? 0), '127.0.0.1');
console.log(`listening on http://127.0.0.1:${address.port}`);
