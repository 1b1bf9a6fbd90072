import { expF32x4, sumF32x4 } from './exp';

/** Bytes of an adjustment: { id i32, delta f32, plain f32 }. */
const ENTRY: i32 = 12;

/**
 * One row of logits to one prediction: result = { id i32, prob f32, entropy f32, targetProb f32 }.
 *
 * The mask token can never be predicted: its logit is dropped first. `prob` (of id), `entropy` and `targetProb` (of
 * `target`; 0 if it is negative) always belong to the plain softmax.
 *
 * adjustments (count), ids distinct and inside the vocabulary: each delta is added to its id's logit, and the id's plain
 * logit is kept in the entry. Temperature 0 then gives the argmax, the lowest id on ties. Otherwise `uniform` in [0, 1) draws,
 * in id order, from softmax(logits / temperature), cut to the topK most probable ids (0: all) and then to the smallest set
 * with mass topP. Ids that tie with the last kept one are kept.
 *
 * logits (V) f32 are overwritten when adjusting or sampling; the row is padded to a multiple of 4 floats here.
 */
export function head_predict(
  result: usize, logits: usize, vocab: i32, maskId: i32, temperature: f32, topK: i32, topP: f32, uniform: f32,
  target: i32, adjustments: usize, count: i32,
): void {
  if (maskId >= 0 && maskId < vocab) store<f32>(logits + maskId * 4, -Infinity as f32);
  for (let i = vocab; i & 3; i++) store<f32>(logits + i * 4, -Infinity as f32);
  const bytes = vocab * 4;
  let id = argmax(logits, bytes);
  const most = load<f32>(logits + id * 4);
  const shift = f32x4.splat(most);
  let sum = f32x4.splat(0);
  let weighted = f32x4.splat(0);
  const floor = f32x4.splat(-88.0); // e^-88 counts as 0 and -inf * 0 would be NaN
  for (let j = 0; j < bytes; j += 16) {
    const x = f32x4.max(f32x4.sub(v128.load(logits + j), shift), floor);
    const e = expF32x4(x);
    sum = f32x4.add(sum, e);
    weighted = f32x4.add(weighted, f32x4.mul(e, x));
  }
  const total = sumF32x4(sum);
  store<f32>(result, Mathf.log(total) - sumF32x4(weighted) / total, 8);
  store<f32>(result, target < 0 ? <f32>0 : Mathf.exp(load<f32>(logits + target * 4) - most) / total, 12);

  if (count > 0) {
    adjust(logits, adjustments, count);
    id = argmax(logits, bytes);
  }
  let plain = load<f32>(logits + id * 4);
  if (temperature > 0) {
    const peak = plain;
    id = draw(logits, bytes, peak, temperature, topK, topP, uniform);
    // draw() left e^((x - peak) / temperature) in place of x.
    plain = peak + temperature * Mathf.log(load<f32>(logits + id * 4));
  }
  for (let i = 0; i < count; i++) {
    const entry = adjustments + i * ENTRY;
    if (load<i32>(entry) == id) plain = load<f32>(entry, 8);
  }
  store<i32>(result, id);
  store<f32>(result, Mathf.exp(plain - most) / total, 4);
}

/** Adds each delta to its id's logit, which is kept in the entry as it was. */
function adjust(logits: usize, adjustments: usize, count: i32): void {
  for (let i = 0; i < count; i++) {
    const entry = adjustments + i * ENTRY;
    const at = logits + load<i32>(entry) * 4;
    const plain = load<f32>(at);
    store<f32>(entry, plain, 8);
    store<f32>(at, plain + load<f32>(entry, 4));
  }
}

/** Index of the largest of the floats, the lowest on ties. */
function argmax(logits: usize, bytes: i32): i32 {
  let most = f32x4.splat(-Infinity as f32);
  let where = i32x4.splat(0);
  let index = i32x4(0, 1, 2, 3);
  const four = i32x4.splat(4);
  for (let j = 0; j < bytes; j += 16) {
    const x = v128.load(logits + j);
    const more = f32x4.gt(x, most);
    most = v128.bitselect(x, most, more);
    where = v128.bitselect(index, where, more);
    index = i32x4.add(index, four);
  }
  let best = f32x4.extract_lane(most, 0);
  let id = i32x4.extract_lane(where, 0);
  const x1 = f32x4.extract_lane(most, 1);
  const i1 = i32x4.extract_lane(where, 1);
  if (x1 > best || (x1 == best && i1 < id)) {
    best = x1;
    id = i1;
  }
  const x2 = f32x4.extract_lane(most, 2);
  const i2 = i32x4.extract_lane(where, 2);
  if (x2 > best || (x2 == best && i2 < id)) {
    best = x2;
    id = i2;
  }
  const x3 = f32x4.extract_lane(most, 3);
  const i3 = i32x4.extract_lane(where, 3);
  return x3 > best || (x3 == best && i3 < id) ? i3 : id;
}

/**
 * Draws an id; leaves weights e^((x - most) / temperature) in place of the logits.
 * The kept set is found by bisecting its smallest weight: about 30 passes, and no sort of V numbers.
 */
function draw(logits: usize, bytes: i32, most: f32, temperature: f32, topK: i32, topP: f32, uniform: f32): i32 {
  const shift = f32x4.splat(most);
  const inverse = f32x4.splat(<f32>1.0 / temperature);
  let sum = f32x4.splat(0);
  for (let j = 0; j < bytes; j += 16) {
    const e = expF32x4(f32x4.mul(f32x4.sub(v128.load(logits + j), shift), inverse));
    v128.store(logits + j, e);
    sum = f32x4.add(sum, e);
  }
  let cut: f32 = 0;
  let mass = sumF32x4(sum);
  if (topK > 0) {
    cut = smallestKept(logits, bytes, <f32>topK, false);
    mass = keptMass(logits, bytes, cut);
  }
  if (topP < 1) {
    cut = Mathf.max(cut, smallestKept(logits, bytes, topP * mass, true));
    mass = keptMass(logits, bytes, cut);
  }
  const target = <f64>uniform * <f64>mass;
  let seen: f64 = 0;
  let last = 0;
  for (let j = 0; j < bytes; j += 4) {
    const e = load<f32>(logits + j);
    if (e < cut || e == 0) continue;
    last = j >> 2;
    seen += <f64>e;
    if (seen > target) break;
  }
  return last;
}

/** The largest cut in [0, 1] such that the weights >= cut number (or weigh, with `byMass`) at least `wanted`. */
function smallestKept(weights: usize, bytes: i32, wanted: f32, byMass: bool): f32 {
  // Positive floats order like their bits, so bisecting the bits ends at the exact float.
  let low: i32 = 0;
  let high: i32 = reinterpret<i32>(<f32>1.0) + 1;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    const cut = reinterpret<f32>(middle);
    const enough = byMass ? keptMass(weights, bytes, cut) >= wanted : keptCount(weights, bytes, cut) >= wanted;
    if (enough) low = middle;
    else high = middle;
  }
  return reinterpret<f32>(low);
}

function keptMass(weights: usize, bytes: i32, cut: f32): f32 {
  const least = f32x4.splat(cut);
  let sum = f32x4.splat(0);
  for (let j = 0; j < bytes; j += 16) {
    const e = v128.load(weights + j);
    sum = f32x4.add(sum, v128.and(e, f32x4.ge(e, least)));
  }
  return sumF32x4(sum);
}

function keptCount(weights: usize, bytes: i32, cut: f32): f32 {
  const least = f32x4.splat(cut);
  let count = i32x4.splat(0);
  for (let j = 0; j < bytes; j += 16) count = i32x4.sub(count, f32x4.ge(v128.load(weights + j), least));
  return <f32>(
    (i32x4.extract_lane(count, 0) +
      i32x4.extract_lane(count, 1) +
      i32x4.extract_lane(count, 2) +
      i32x4.extract_lane(count, 3))
  );
}
