/** A web server with a model's files, of which any can be spoiled. */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

/** What the server does with a file. */
export type Fault =
  | 'truncated'
  | 'flipped'
  | 'too long'
  | 'missing'
  | 'refused'
  | 'cut'
  | 'slow'
  | 'stalled'
  | 'silent'
  | 'not JSON';

export interface ShardServer {
  readonly url: string;
  /** Null: as it should. */
  spoil(file: string, fault: Fault | null): void;
  /** Of a file, since the last `heal`. */
  asked(file: string): number;
  /** All files are as they should be again. */
  heal(): void;
  stop(): Promise<void>;
}

/** A piece of a slow file, and the time between two. */
const PIECE = 4096;
const PIECE_MS = 5;

export async function startShardServer(directory: string): Promise<ShardServer> {
  const faults = new Map<string, Fault>();
  const asked = new Map<string, number>();
  const server = createServer(async (request, response) => {
    const file = (request.url ?? '').replace(/^.*\//, '');
    asked.set(file, (asked.get(file) ?? 0) + 1);
    const fault = faults.get(file);
    const bytes = await readFile(join(directory, file));
    const half = bytes.subarray(0, bytes.length >> 1);
    const send = (body: Uint8Array) => response.writeHead(200, { 'content-length': body.length }).end(body);
    switch (fault) {
      case undefined:
        return send(bytes);
      case 'truncated':
        return send(half);
      case 'flipped':
        bytes[half.length] = (bytes[half.length] ?? 0) ^ 1;
        return send(bytes);
      case 'too long':
        return send(Buffer.concat([bytes, half]));
      case 'not JSON':
        return send(Buffer.from('<html>moved</html>'));
      case 'missing':
        return response.writeHead(404).end('nothing here');
      case 'refused':
        return response.writeHead(500).end();
      case 'cut':
        response.writeHead(200, { 'content-length': bytes.length });
        return response.write(half, () => response.destroy());
      case 'stalled':
        response.writeHead(200, { 'content-length': bytes.length });
        return response.write(half);
      case 'silent':
        return;
      case 'slow':
        response.writeHead(200, { 'content-length': bytes.length });
        for (let at = 0; at < bytes.length; at += PIECE) {
          response.write(bytes.subarray(at, at + PIECE));
          await new Promise((resolve) => setTimeout(resolve, PIECE_MS));
        }
        return response.end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/models/tiny-llama`,
    spoil: (file, fault) => void (fault === null ? faults.delete(file) : faults.set(file, fault)),
    asked: (file) => asked.get(file) ?? 0,
    heal() {
      faults.clear();
      asked.clear();
    },
    stop() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
