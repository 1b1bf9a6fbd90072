import { ApiError } from '../errors.ts';
import type { Host } from '../host.ts';

/** @throws ApiError 404 for a model that this host does not serve. No name means the host's own. */
export function requireModel(host: Host, name: string | undefined): void {
  // Clients that were given no name send an empty one.
  if (name === undefined || name === '' || name === host.modelName) return;
  const shown = name.length > 64 ? `${name.slice(0, 64).toWellFormed()}...` : name;
  throw new ApiError(404, `The model '${shown}' does not exist.`, 'model_not_found', 'model');
}
