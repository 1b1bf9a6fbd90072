/** Reads JSON as Python's `json` module writes it: with `Infinity`, `-Infinity` and `NaN` for numbers that JSON lacks. */

/** A string, which is left alone, or one of the three names. A name is not part of a longer word or number. */
const STRING_OR_NAME = /"(?:[^"\\]|\\.)*"|(?<![\w.+-])(?:-?Infinity|NaN)(?![\w.])/g;

/** @throws SyntaxError where Python's `json.loads` raises an error */
export function parsePythonJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!/Infinity|NaN/.test(text)) throw error;
  }
  // JSON has a spelling of the infinities but none of NaN. An object stands in for it, which no key can be.
  let key = 'NaN';
  while (text.includes(`"${key}"`)) key += '_';
  const replaced = text.replace(STRING_OR_NAME, (token) => {
    if (token.startsWith('"')) return token;
    return token === 'NaN' ? `{"${key}":0}` : token.replace('Infinity', '1e999');
  });
  return JSON.parse(replaced, (_name, value: unknown) => {
    return typeof value === 'object' && value !== null && key in value ? Number.NaN : value;
  });
}
