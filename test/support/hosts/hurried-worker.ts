import { Drain } from '../../../src/api/middleware/drain.ts';
import { HURRY, hastyService } from './hasty-service.ts';

export default { fetch: hastyService(() => {}, new Drain(), HURRY).fetch };
