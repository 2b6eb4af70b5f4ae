export interface Sentence {
  start: number;
  end: number;
  text: string;
}

/** The text processing that is injected where nlp itself may not be imported. */
export interface TextAnalyser {
  /** Version of the tokeniser; part of a collection's fingerprint. */
  readonly id: string;
  /** Index terms of a text, in order, repeats kept. The same function serves index and query. */
  terms(text: string): string[];
  /** Sentences in order; spans are UTF-16 offsets into the text, untrimmed white space left out. */
  sentences(text: string): Sentence[];
  language(text: string): 'en' | 'ja' | 'other';
}

/** A model that turns text into vectors inside this process. */
export interface StaticTextEncoder {
  readonly id: string;
  readonly dimensions: number;
  readonly fingerprint: string;
  /** A unit vector; the zero vector for text without a known token. */
  encode(text: string): Float32Array;
  countTokens(text: string): number;
}

/** A table of token vectors: texts are rows of it, one per token. */
export interface TokenTable {
  readonly dimensions: number;
  /** The rows of the text's tokens, in order. */
  rowsOf(text: string): Int32Array;
  /** Writes a row into `target` from `offset` on; gives its length, which is the token's weight in a text. */
  rowInto(row: number, target: Float32Array, offset: number): number;
}
