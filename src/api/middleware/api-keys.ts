/** Finds whose key a caller sent. The server knows only hashes, and it compares them in constant time. */
import type { Client } from './call.ts';

/** A key that is let in. */
export interface ApiKey {
  readonly name: string;
  /** SHA-256 of the key, in lower-case hex. */
  readonly sha256: string;
}

/** Longer ones are nobody's, and are not hashed. */
const LONGEST_KEY = 256;
const BEARER = /^Bearer +(\S+) *$/i;

/** The key that a request brings: `Authorization: Bearer`, else `x-api-key`; null for none or one that is malformed. */
export function sentKey(header: (name: string) => string | undefined): string | null {
  const key = BEARER.exec(header('authorization') ?? '')?.[1] ?? header('x-api-key')?.trim();
  return key === undefined || key === '' || key.length > LONGEST_KEY ? null : key;
}

export async function clientOf(sent: string, keys: readonly ApiKey[]): Promise<Client | null> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(sent));
  const hex = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
  let found: ApiKey | null = null;
  // No early end: the time says nothing about which key, or how much of it, was right.
  for (const key of keys) if (equal(key.sha256, hex)) found = key;
  return found === null ? null : { keyName: found.name, cacheKey: `key ${found.sha256}` };
}

function equal(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < b.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}
