const QUOTE = 34;
const BACKSLASH = 92;
const COMMA = 44;
const COLON = 58;

/** What is wrong with the size of a JSON text before it is parsed; undefined where nothing is. */
export type JsonExcess = 'depth' | 'pieces';

/**
 * Judges how deep a JSON text nests and of how many pieces it is made, without parsing it: a parser takes most of
 * a second for a million keys, and recursive readers of its result take all of the stack. A piece is a string, an
 * object, a list, a comma or a colon, so that a key counts more than a number, as it costs more. Stops at the first excess. Strings are jumped over, so that long ones cost next to nothing; what is not
 * JSON is left for the parser to refuse.
 */
export function jsonExcess(text: string, limits: { depth: number; pieces: number }): JsonExcess | undefined {
  // So short a text cannot exceed anything that is worth a limit.
  if (text.length < 2 * limits.depth) return undefined;
  let depth = 0;
  let pieces = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = endOfString(text, at);
      if (at === -1) return undefined;
      if (++pieces > limits.pieces) return 'pieces';
    } else if ((code | 32) === 123) {
      // Brackets and braces differ by one bit: [ { open, ] } close.
      if (++depth > limits.depth) return 'depth';
      if (++pieces > limits.pieces) return 'pieces';
    } else if (code === COMMA || code === COLON) {
      if (++pieces > limits.pieces) return 'pieces';
    } else if ((code | 32) === 125) {
      depth--;
    }
  }
  return undefined;
}

/** Where the string that opens at `from` has its closing quote; -1 where it has none. */
function endOfString(text: string, from: number): number {
  for (let at = text.indexOf('"', from + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (text.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return at;
  }
  return -1;
}
