import type { ChunkIndex, IndexHit, IndexRef, IndexSearch } from '../../ports/chunk-index.ts';
import type { TextAnalyser } from '../../ports/text-analyser.ts';
import { SekishoError } from '../../spec/errors.ts';
import { lostStep } from './lost-step.ts';
import type { EmbedQuery, QueryToEmbed } from './embed-query.ts';

/** One query as it goes to the index. */
export interface LegSearch {
  ref: IndexRef;
  text: string;
  legs: { lexical: boolean; dense: boolean };
  /** Asked side by side in each leg; a leg's hits are those of all of them. */
  searches: readonly IndexSearch[];
  /** Who asks, and with what the text is embedded. */
  embed: Omit<QueryToEmbed, 'text'>;
}

/** What both legs found, the best first; a leg that was not asked found nothing. */
export interface LegHits {
  lexical: IndexHit[];
  dense: IndexHit[];
  /** Set where the upstream of the embedding model failed: the hits are of the lexical leg alone. */
  degradedBy?: SekishoError;
}

/** Milliseconds of each step. The legs run side by side, so the parts add up to more than the total. */
export interface LegTimings {
  analyseMs: number;
  embedMs: number;
  lexicalMs: number;
  denseMs: number;
}

export interface SearchLegsDeps {
  index: Pick<ChunkIndex, 'searchLexical' | 'searchDense'>;
  analyser: Pick<TextAnalyser, 'terms'>;
  embedQuery: EmbedQuery;
}

/** Measures a step under its name; several queries at once add up. */
export type Timed<K extends string> = <T>(step: K, work: () => T | Promise<T>) => Promise<T>;

/**
 * Asks both legs side by side. An upstream that fails to embed costs the dense leg, not the answer; where only the
 * dense leg was asked for, the lexical one stands in.
 * @throws SekishoError of the index, and what the gateway says of a caller who may not embed.
 */
export async function searchLegs(
  deps: SearchLegsDeps,
  { ref, text, legs, searches, embed }: LegSearch,
  timed: Timed<keyof LegTimings>,
): Promise<LegHits> {
  const lexicalLeg = async (): Promise<IndexHit[]> => {
    const terms = await timed('analyseMs', () => deps.analyser.terms(text));
    return timed('lexicalMs', () => together(searches, (search) => deps.index.searchLexical(ref, terms, search)));
  };
  const denseLeg = async (): Promise<IndexHit[] | SekishoError> => {
    let vector: Float32Array;
    try {
      vector = await timed('embedMs', () => deps.embedQuery({ ...embed, text }));
    } catch (thrown) {
      return lostStep(thrown);
    }
    return timed('denseMs', () => together(searches, (search) => deps.index.searchDense(ref, vector, search)));
  };
  const [lexical, dense] = await Promise.all([legs.lexical ? lexicalLeg() : [], legs.dense ? denseLeg() : []]);
  if (!(dense instanceof SekishoError)) return { lexical, dense };
  return { lexical: legs.lexical ? lexical : await lexicalLeg(), dense: [], degradedBy: dense };
}

/** The hits of several searches of one leg, each chunk once, the best first. */
async function together(
  searches: readonly IndexSearch[],
  ask: (search: IndexSearch) => Promise<IndexHit[]>,
): Promise<IndexHit[]> {
  const [first = [], ...more] = await Promise.all(searches.map(ask));
  if (more.length === 0) return first;
  const hits = new Map([first, ...more].flat().map((hit) => [hit.chunkId, hit]));
  return [...hits.values()].sort((a, b) => b.score - a.score || (a.chunkId < b.chunkId ? -1 : 1));
}
