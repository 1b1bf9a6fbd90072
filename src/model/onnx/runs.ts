/**
 * Lets ONNX Runtime do one thing at a time. On WebGPU a second run before the end of the first hangs the event loop
 * for good, whatever its session. So every call to it waits here.
 */
let last: Promise<unknown> = Promise.resolve();

export function alone<T>(work: () => Promise<T>): Promise<T> {
  const mine = last.then(work);
  last = mine.catch(() => {});
  return mine;
}
