const QUOTE = 34;
const BACKSLASH = 92;

interface Member {
  key: string;
  valueStart: number;
  valueEnd: number;
}

/**
 * Sets top-level keys of a JSON object in its text and leaves every other byte as it is. Each edit is JSON
 * text. A key that is there gets its value replaced, every time it is there, because parsers disagree on
 * which of several counts; a key that is not there is put first.
 *
 * `text` must be a valid JSON object.
 * @throws SyntaxError where the text is found not to be one.
 */
export function spliceJson(text: string, edits: Readonly<Record<string, string>>): string {
  const open = skipBlank(text, 0);
  if (text[open] !== '{') throw new SyntaxError('not a JSON object');
  const missing = new Map(Object.entries(edits));
  let out = '';
  let copied = 0;
  let empty = true;
  for (const member of members(text, open + 1)) {
    empty = false;
    if (!Object.hasOwn(edits, member.key)) continue;
    missing.delete(member.key);
    out += text.slice(copied, member.valueStart) + (edits[member.key] ?? '');
    copied = member.valueEnd;
  }
  out += text.slice(copied);
  if (missing.size === 0) return out;
  const added = [...missing].map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(',');
  return `${out.slice(0, open + 1)}${added}${empty ? '' : ','}${out.slice(open + 1)}`;
}

/** The members of an object, from behind its opening brace, without looking into their values. */
function* members(text: string, from: number): Generator<Member> {
  let at = skipBlank(text, from);
  while (text[at] === '"') {
    const keyEnd = endOfString(text, at);
    const raw = text.slice(at, keyEnd);
    const colon = skipBlank(text, keyEnd);
    if (text[colon] !== ':') throw new SyntaxError('a key without a colon');
    const valueStart = skipBlank(text, colon + 1);
    const valueEnd = endOfValue(text, valueStart);
    yield { key: raw.includes('\\') ? String(JSON.parse(raw)) : raw.slice(1, -1), valueStart, valueEnd };
    at = skipBlank(text, valueEnd);
    if (text[at] !== ',') break;
    at = skipBlank(text, at + 1);
  }
  if (text[at] !== '}') throw new SyntaxError('an object without an end');
}

function skipBlank(text: string, from: number): number {
  let at = from;
  for (let code = text.charCodeAt(at); code === 32 || (code >= 9 && code <= 13); code = text.charCodeAt(at)) at++;
  return at;
}

/** Where the string that opens at `from` ends, behind its closing quote; jumps from quote to quote. */
function endOfString(text: string, from: number): number {
  for (let at = text.indexOf('"', from + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (text.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return at + 1;
  }
  throw new SyntaxError('a string without an end');
}

function endOfValue(text: string, from: number): number {
  const first = text[from];
  if (first === '"') return endOfString(text, from);
  if (first === '{' || first === '[') return endOfNested(text, from);
  let at = from;
  while (at < text.length && !',}] \t\r\n'.includes(text.charAt(at))) at++;
  return at;
}

function endOfNested(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at) - 1;
    // Brackets and braces differ by one bit of case: [ { open, ] } close.
    else if ((code | 32) === 123) depth++;
    else if ((code | 32) === 125 && --depth === 0) return at + 1;
  }
  throw new SyntaxError('a value without an end');
}
