/** Finds whose key a caller sent. The server knows only hashes, and it compares them in constant time. */
import { timingSafeEqual } from 'hono/utils/buffer';
import { sha256 } from 'hono/utils/crypto';
import type { Client } from './call.ts';

/** A key that is let in. */
export interface ApiKey {
  /** For logs and limits. */
  readonly name: string;
  /** SHA-256 of the key: 64 lower-case hex digits. */
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

/** @returns null for a key that is nobody's */
export async function clientOf(sent: string, keys: readonly ApiKey[]): Promise<Client | null> {
  const hash = await sha256(sent);
  if (hash === null) return null;
  // All of them: the time says nothing about which key, or how much of it, was right.
  const equal = await Promise.all(keys.map((key) => timingSafeEqual(key.sha256, hash)));
  const found = keys[equal.lastIndexOf(true)];
  if (found === undefined) return null;
  const cacheKey = `key ${found.sha256}`;
  return { keyName: found.name, cacheKey, shareKey: cacheKey };
}
