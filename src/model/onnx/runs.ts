/**
 * ONNX Runtime does one thing at a time: a second run on WebGPU before the first has ended hangs the event loop for good,
 * whatever its session. Everything that calls it waits here.
 */
let last: Promise<unknown> = Promise.resolve();

export function alone<T>(work: () => Promise<T>): Promise<T> {
  const mine = last.then(work);
  last = mine.catch(() => {});
  return mine;
}
