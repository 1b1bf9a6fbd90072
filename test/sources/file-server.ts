/** A static file server that misbehaves on order. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Asked {
  readonly path: string;
  readonly query: string | undefined;
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
  readonly authorization: string | undefined;
}

export interface FileServer {
  readonly url: string;
  /** Every request so far. */
  readonly asked: readonly Asked[];
  close(): Promise<void>;
}

/** Answers a request, or returns false for the ordinary answer. Whatever else it returns is not looked at. */
export type Misbehaviour = (request: IncomingMessage, response: ServerResponse, content: Uint8Array) => unknown;

/**
 * Serves `files` with a strong ETag, ranges and If-Range.
 * @param misbehave called first, with the file's content
 */
export async function serveFiles(
  files: ReadonlyMap<string, Uint8Array>,
  misbehave: Misbehaviour = () => false,
): Promise<FileServer> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    const [path = '', query] = (request.url ?? '').slice(1).split('?');
    const { range, 'if-range': ifRange, authorization } = request.headers;
    asked.push({ path, query, range, ifRange: ifRange as string | undefined, authorization });
    const content = files.get(path);
    if (content === undefined) {
      response.writeHead(404).end();
      return;
    }
    if (misbehave(request, response, content) === false)
      answer(response, content, range, ifRange as string | undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    asked,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export const ETAG = '"one"';

function answer(response: ServerResponse, content: Uint8Array, range?: string, ifRange?: string): void {
  const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1]);
  if (!(from >= 0) || (ifRange !== undefined && ifRange !== ETAG)) {
    response.writeHead(200, { etag: ETAG, 'content-length': content.length }).end(content);
  } else if (from >= content.length) {
    response.writeHead(416, { 'content-range': `bytes */${content.length}` }).end();
  } else {
    const headers = { etag: ETAG, 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` };
    response.writeHead(206, { ...headers, 'content-length': content.length - from }).end(content.subarray(from));
  }
}

/** Sends the head and the first `bytes` of the content, then cuts the connection. */
export function cutAfter(response: ServerResponse, content: Uint8Array, bytes: number, headers = {}): void {
  response.writeHead(200, { etag: ETAG, 'content-length': content.length, ...headers });
  response.write(content.subarray(0, bytes), () => response.destroy());
}
