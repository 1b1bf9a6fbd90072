import { floodService } from './flood-service.ts';

export default { fetch: floodService().fetch };
