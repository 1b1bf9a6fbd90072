import { clientService } from './client-service.ts';

export default { fetch: clientService().fetch };
