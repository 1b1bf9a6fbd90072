import { hastyService } from './hasty-service.ts';

export default { fetch: hastyService(() => {}).fetch };
