import { Bytes, mixTile, RECORD, scoreTile, Words } from './attention-tile';
import { dot_sums_32 } from './dot';
import { exp2F32x4, sumF32x4 } from './exp';
import { headBytes, pageSlots } from './kv';
import { largest, roundI32x4 } from './round';
import { Rows1, Rows2, Rows3 } from './tile';

/** Queries that read a K and V head together. */
const TILE: i32 = 3;
/** The largest d. */
const MOST_D: i32 = 256;
/** Bytes of the queries of a tile. */
const QUERY_BYTES: i32 = (TILE * RECORD * MOST_D) / 4;
/** Queries and weights of the softmax have 14 bits, queries with a sign. */
const QUERY_MOST: f32 = 8191;
const WEIGHT_MOST: f32 = 16383;
/** Weights add up to less, so that their sum times 127 stays below 2^31; there is room for the rounding of 1.8 million. */
const WEIGHT_SUM: f32 = 16000000;
/** So many rows wait for memory more than they compute. */
const FEW_ROWS: i32 = 8;
/** Touching more than the cache next to the core holds would load everything twice. */
const TOUCHED_BYTES: i32 = 1 << 20;

const QUERY_OFFSET: usize = memory.data<i32>([8192, 8192, 8192, 8192], 16);
const LOW_HALF: usize = memory.data<i16>([127, 127, 127, 127, 127, 127, 127, 127], 16);

/**
 * out = softmax(q K^T / sqrt(d)) V over the pages of one layer, grouped-query.
 *
 * Row r sees positions 0..visible[r]-1. This one number is causal (the row's own position + 1), bidirectional within a block
 * (the block's end), or a mixture of both in one call.
 *
 * out (rows, heads*d) f32; q (rows, ldq) f32, heads from column 0; visible (rows) i32, each >= 1; pages of `kv.ts`;
 * scratch: 1,536 bytes, then 30 bytes for each slot of the pages seen and 19 more.
 * d is a multiple of 16, at most 256. Only K and V heads `from` to before `to`, and the heads that read them: threads share
 * the heads.
 *
 * Queries, and weights of the softmax times the scale of V, are rounded to 14 bits. Then both products are exact sums of
 * integers. The queries of all rows and heads that read a K and V head are taken three at a time (`attention-tile.ts`).
 */
export function attention(
  out: usize, q: usize, ldq: i32, visible: usize, pages: usize, layer: i32, rows: i32,
  heads: i32, kvHeads: i32, d: i32, pageTokens: i32, scratch: usize, from: i32, to: i32,
): void {
  const group = heads / kvHeads;
  const slots = pageSlots(pageTokens);
  const bytes = headBytes(slots, d);
  let longest = 0;
  for (let r = 0; r < rows; r++) longest = max(longest, load<i32>(visible + r * 4));
  const count = (longest + pageTokens - 1) / pageTokens; // of pages
  const span = (count * slots + 15) & ~15;
  const stride = (span + 4) * 4;
  const scales = scratch + QUERY_BYTES; // of K (slots) f32, corrections (slots) i32, scales of V (slots) f32
  const scores = scales + 3 * stride; // (TILE, slots) f32
  const weights = scores + TILE * stride; // records
  const queries = rows * group;
  const factor = <f32>1.44269504 / Mathf.sqrt(<f32>d);
  const inBytes = dot_sums_32;
  let at = (layer * kvHeads + from) * bytes;
  for (let shared = from; shared < to; shared++) {
    if (rows <= FEW_ROWS && count * bytes <= TOUCHED_BYTES) touch(pages, at, bytes, count, scratch);
    gatherScales(scales, stride, pages, at + slots * 2 * d, slots, span, longest, pageTokens);
    let first = 0;
    while (first < queries) {
      const left = queries - first;
      const tile = left == 4 ? 2 : min(TILE, left);
      // One row and head each. A tile of fewer repeats its last.
      const r0 = first / group, r1 = min(first + 1, queries - 1) / group, r2 = min(first + 2, queries - 1) / group;
      const h0 = shared * group + first - r0 * group;
      const h1 = shared * group + min(first + 1, queries - 1) - r1 * group;
      const h2 = shared * group + min(first + 2, queries - 1) - r2 * group;
      const t0 = load<i32>(visible + r0 * 4), t1 = load<i32>(visible + r1 * 4), t2 = load<i32>(visible + r2 * 4);
      const y0 = out + (r0 * heads + h0) * d * 4;
      const y1 = out + (r1 * heads + h1) * d * 4;
      const y2 = out + (r2 * heads + h2) * d * 4;
      const step = tile * RECORD;
      let f0 = roundQuery(inBytes, scratch, step, q + (r0 * ldq + h0 * d) * 4, d) * factor, f1: f32 = 0, f2: f32 = 0;
      let tokens = t0;
      if (tile > 1) {
        f1 = roundQuery(inBytes, scratch + RECORD, step, q + (r1 * ldq + h1 * d) * 4, d) * factor;
        tokens = max(tokens, t1);
      }
      if (tile > 2) {
        f2 = roundQuery(inBytes, scratch + 2 * RECORD, step, q + (r2 * ldq + h2 * d) * 4, d) * factor;
        tokens = max(tokens, t2);
      }
      score(tile, inBytes, scores, stride, scratch, pages, at, tokens, d, pageTokens, slots, scales, f0, f1, f2);
      const places = (slotAfter(tokens, pageTokens, slots) + 15) & ~15;
      const valueScales = scales + 2 * stride;
      f0 = soften(inBytes, scores, weights, step, slotAfter(t0, pageTokens, slots), places, valueScales);
      if (tile > 1) f1 = soften(inBytes, scores + stride, weights + RECORD, step, slotAfter(t1, pageTokens, slots), places, valueScales);
      if (tile > 2) f2 = soften(inBytes, scores + 2 * stride, weights + 2 * RECORD, step, slotAfter(t2, pageTokens, slots), places, valueScales);
      const values = at + slots * d;
      mix(tile, inBytes, y0, y1, y2, weights, pages, values, tokens, d, pageTokens, slots, f0, f1, f2);
      first += tile;
    }
    at += bytes;
  }
}

function score(
  tile: i32, inBytes: bool, scores: usize, stride: i32, q: usize, pages: usize, keys: i32, tokens: i32, d: i32,
  pageTokens: i32, slots: i32, scales: usize, f0: f32, f1: f32, f2: f32,
): void {
  if (ASC_FEATURE_RELAXED_SIMD && inBytes) {
    if (tile == 3) scoreTile<Rows3, Bytes>(scores, stride, q, pages, keys, tokens, d, pageTokens, slots, scales, f0, f1, f2);
    else if (tile == 2) scoreTile<Rows2, Bytes>(scores, stride, q, pages, keys, tokens, d, pageTokens, slots, scales, f0, f1, f2);
    else scoreTile<Rows1, Bytes>(scores, stride, q, pages, keys, tokens, d, pageTokens, slots, scales, f0, f1, f2);
    return;
  }
  if (tile == 3) scoreTile<Rows3, Words>(scores, stride, q, pages, keys, tokens, d, pageTokens, slots, scales, f0, f1, f2);
  else if (tile == 2) scoreTile<Rows2, Words>(scores, stride, q, pages, keys, tokens, d, pageTokens, slots, scales, f0, f1, f2);
  else scoreTile<Rows1, Words>(scores, stride, q, pages, keys, tokens, d, pageTokens, slots, scales, f0, f1, f2);
}

function mix(
  tile: i32, inBytes: bool, y0: usize, y1: usize, y2: usize, weights: usize, pages: usize, values: i32, tokens: i32,
  d: i32, pageTokens: i32, slots: i32, f0: f32, f1: f32, f2: f32,
): void {
  if (ASC_FEATURE_RELAXED_SIMD && inBytes) {
    if (tile == 3) mixTile<Rows3, Bytes>(y0, y1, y2, weights, pages, values, tokens, d, pageTokens, slots, f0, f1, f2);
    else if (tile == 2) mixTile<Rows2, Bytes>(y0, y1, y2, weights, pages, values, tokens, d, pageTokens, slots, f0, f1, f2);
    else mixTile<Rows1, Bytes>(y0, y1, y2, weights, pages, values, tokens, d, pageTokens, slots, f0, f1, f2);
    return;
  }
  if (tile == 3) mixTile<Rows3, Words>(y0, y1, y2, weights, pages, values, tokens, d, pageTokens, slots, f0, f1, f2);
  else if (tile == 2) mixTile<Rows2, Words>(y0, y1, y2, weights, pages, values, tokens, d, pageTokens, slots, f0, f1, f2);
  else mixTile<Rows1, Words>(y0, y1, y2, weights, pages, values, tokens, d, pageTokens, slots, f0, f1, f2);
}

/** The slot after that of the last of `tokens` tokens. */
// @ts-ignore: decorator
@inline
function slotAfter(tokens: i32, pageTokens: i32, slots: i32): i32 {
  const page = (tokens - 1) / pageTokens;
  return tokens + page * (slots - pageTokens);
}

/**
 * Loads one word of each cache line that the head has in the pages. The loads do not wait for each other, while those of the
 * products do: a page is too short for the processor to see where the next reads go. The sum is stored so that no compiler
 * drops the loads.
 */
function touch(pages: usize, at: i32, bytes: i32, count: i32, scratch: usize): void {
  let a = 0, b = 0, c = 0, e = 0;
  for (const end = pages + count * 4; pages < end; pages += 4) {
    let line = <usize>load<i32>(pages) + at;
    for (const last = line + bytes; line < last; line += 256) {
      a += load<i32>(line, 0);
      b += load<i32>(line, 64);
      c += load<i32>(line, 128);
      e += load<i32>(line, 192);
    }
  }
  store<i32>(scratch, a + b + c + e);
}

/**
 * Scales and corrections of all pages, one after another: three rows of `stride` bytes, up to `span` slots. Places without a
 * token may hold anything in a page: they become 0.
 */
function gatherScales(
  to: usize, stride: i32, pages: usize, from: i32, slots: i32, span: i32, longest: i32, pageTokens: i32,
): void {
  const end = to + span * 4;
  for (let left = longest; left > 0; left -= pageTokens) {
    let at = <usize>load<i32>(pages) + from;
    pages += 4;
    for (const last = at + slots * 4; at < last; at += 16) {
      v128.store(to, v128.load(at));
      v128.store(to + stride, v128.load(at + slots * 4));
      v128.store(to + 2 * stride, v128.load(at + slots * 8));
      to += 16;
    }
    if (left < slots || pageTokens < slots) clearScales(to - (slots - min(left, pageTokens)) * 4, to, stride);
  }
  clearScales(to, end, stride);
}

function clearScales(from: usize, to: usize, stride: i32): void {
  for (; from < to; from += 4) {
    store<f32>(from, 0);
    store<i32>(from + stride, 0);
    store<f32>(from + 2 * stride, 0);
  }
}

/** Four records, `step` bytes apart, of 16 numbers in 0..16383 (relaxed SIMD), or in i16. */
// @ts-ignore: decorator
@inline
function storeRecords(inBytes: bool, y: usize, step: i32, a: v128, b: v128, c: v128, e: v128): void {
  const ab = i16x8.narrow_i32x4_s(a, b);
  const ce = i16x8.narrow_i32x4_s(c, e);
  if (inBytes) {
    const low = v128.load(LOW_HALF);
    const highs = i8x16.narrow_i16x8_s(i16x8.shr_u(ab, 7), i16x8.shr_u(ce, 7));
    const lows = i8x16.narrow_i16x8_s(v128.and(ab, low), v128.and(ce, low));
    const first = v128.shuffle<i32>(highs, lows, 0, 4, 1, 5);
    const last = v128.shuffle<i32>(highs, lows, 2, 6, 3, 7);
    v128.store64_lane(y, first, 0);
    v128.store64_lane(y + step, first, 1);
    v128.store64_lane(y + 2 * step, last, 0);
    v128.store64_lane(y + 3 * step, last, 1);
  } else {
    v128.store64_lane(y, ab, 0);
    v128.store64_lane(y + step, ab, 1);
    v128.store64_lane(y + 2 * step, ce, 0);
    v128.store64_lane(y + 3 * step, ce, 1);
  }
}

/** x (d) f32 to d / 4 records, `step` bytes apart; returns the scale. */
function roundQuery(inBytes: bool, y: usize, step: i32, x: usize, d: i32): f32 {
  let high = v128.load(x);
  let low = high;
  for (let j = 16; j < d * 4; j += 16) {
    const part = v128.load(x + j);
    high = f32x4.pmax(high, part);
    low = f32x4.pmin(low, part);
  }
  const most = largest(high, low);
  const factor = f32x4.splat(most > 0 ? QUERY_MOST / most : <f32>0.0);
  for (let j = 0; j < d * 4; j += 64) {
    let a = roundI32x4(f32x4.mul(v128.load(x + j, 0), factor));
    let b = roundI32x4(f32x4.mul(v128.load(x + j, 16), factor));
    let c = roundI32x4(f32x4.mul(v128.load(x + j, 32), factor));
    let e = roundI32x4(f32x4.mul(v128.load(x + j, 48), factor));
    if (inBytes) {
      const offset = v128.load(QUERY_OFFSET);
      a = i32x4.add(a, offset);
      b = i32x4.add(b, offset);
      c = i32x4.add(c, offset);
      e = i32x4.add(e, offset);
    }
    storeRecords(inBytes, y, step, a, b, c, e);
    y += 4 * step;
  }
  return most / QUERY_MOST;
}

// @ts-ignore: decorator
@inline
function largestLane(x: v128): f32 {
  return Mathf.max(
    Mathf.max(f32x4.extract_lane(x, 0), f32x4.extract_lane(x, 1)),
    Mathf.max(f32x4.extract_lane(x, 2), f32x4.extract_lane(x, 3)),
  );
}

/**
 * scores (places) in units of log2, to weights: e = 2^(score - the largest), times the scale of the slot's V, rounded to
 * records `step` bytes apart. Slots from `end` on get weight 0. Returns the scale of the weights over the sum of e.
 * places is a multiple of 16. Overwrites scores.
 */
function soften(inBytes: bool, scores: usize, y: usize, step: i32, end: i32, places: i32, scales: usize): f32 {
  const last = scores + places * 4;
  for (let s = scores + end * 4; s < last; s += 4) store<f32>(s, -Infinity as f32);
  let most0 = v128.load(scores);
  let most1 = most0;
  for (let s = scores; s < last; s += 32) {
    most0 = f32x4.pmax(most0, v128.load(s, 0));
    most1 = f32x4.pmax(most1, v128.load(s, 16));
  }
  const shift = f32x4.splat(largestLane(f32x4.pmax(most0, most1)));
  let e0 = f32x4.splat(0), e1 = e0; // sums of e
  let x0 = e0, x1 = e0; // sums of e times a scale
  let top = e0;
  for (let s = scores; s < last; s += 32) {
    let e = exp2F32x4(f32x4.sub(v128.load(s, 0), shift));
    e0 = f32x4.add(e0, e);
    e = f32x4.mul(e, v128.load(scales, 0));
    x0 = f32x4.add(x0, e);
    top = f32x4.pmax(top, e);
    v128.store(s, e, 0);
    e = exp2F32x4(f32x4.sub(v128.load(s, 16), shift));
    e1 = f32x4.add(e1, e);
    e = f32x4.mul(e, v128.load(scales, 16));
    x1 = f32x4.add(x1, e);
    top = f32x4.pmax(top, e);
    v128.store(s, e, 16);
    scales += 32;
  }
  const most = largestLane(top);
  if (!(most > 0)) {
    // All V are 0.
    for (let s = 0; s < places; s += 4) store<i64>(y + (s >> 2) * step, 0);
    return 0;
  }
  const factor = Mathf.min(WEIGHT_MOST / most, WEIGHT_SUM / sumF32x4(f32x4.add(x0, x1)));
  const f = f32x4.splat(factor);
  for (let s = scores; s < last; s += 64) {
    storeRecords(
      inBytes,
      y,
      step,
      roundI32x4(f32x4.mul(v128.load(s, 0), f)),
      roundI32x4(f32x4.mul(v128.load(s, 16), f)),
      roundI32x4(f32x4.mul(v128.load(s, 32), f)),
      roundI32x4(f32x4.mul(v128.load(s, 48), f)),
    );
    y += 4 * step;
  }
  return <f32>1.0 / (factor * sumF32x4(f32x4.add(e0, e1)));
}
