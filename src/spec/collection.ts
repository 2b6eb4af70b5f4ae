/** How a text becomes chunks. Token counts are those of the collection's embedding model. */
export type ChunkerSettings =
  /** At headings, then between sentences, and inside a sentence only where it alone is too large. */
  | { kind: 'recursive'; targetTokens: number; maxTokens: number }
  /** Windows of a fixed number of tokens, each beginning `overlapTokens` before the end of the last. */
  | { kind: 'fixed'; tokens: number; overlapTokens: number }
  /** One chunk per section of the document's structure, cut recursively where a section is larger than `maxTokens`. */
  | { kind: 'structure'; maxTokens: number }
  /** One chunk per sentence; what is handed on is the sentence with so many neighbours on either side. */
  | { kind: 'sentence-window'; sentences: number }
  /** Small chunks are searched, and the large one around a hit is handed on. */
  | { kind: 'parent-child'; childTokens: number; parentTokens: number }
  /** Between sentences whose meanings part most: where the distance is in the given percentile, 50 to 99. */
  | { kind: 'semantic'; percentile: number; maxTokens: number };

/** What re-orders the fused candidates. */
export type RerankerSettings =
  | { kind: 'none' }
  /** Token by token over the built-in static vectors; no model is called. */
  | { kind: 'late-interaction' }
  /** Maximal marginal relevance; `lambda` 1 is relevance alone, 0 variety alone. */
  | { kind: 'mmr'; lambda: number }
  /** A model that reads question and passage together, reached by a route of the gateway. */
  | { kind: 'cross-encoder'; route: string };

/** Scores halve with every half-life that the date in the metadata field lies back; documents without one keep theirs. */
export interface TimeDecay {
  field: string;
  halfLifeDays: number;
}

/** Scores are multiplied by the factor of the document's tier, as its metadata field names it; 1 where none is named. */
export interface TrustTiers {
  field: string;
  /** 0 to 1 by tier; 0 keeps a tier out of every answer. */
  factors: Readonly<Record<string, number>>;
}

/** What is made of a question before it is searched for. Everything but `condense` needs a model that writes. */
export interface RewriteSettings {
  /** A follow-up question is made to stand alone. */
  condense: boolean;
  /** Other wordings of the question that are searched beside it; 0 to 5. */
  queries: number;
  /** A passage that would answer the question is imagined, and its meaning searched for. */
  hyde: boolean;
  /** A question of several parts is taken apart, and each part searched for. */
  subQueries: boolean;
}

export interface RetrievalSettings {
  mode: 'hybrid' | 'lexical' | 'dense';
  fusion: 'convex' | 'rrf';
  /** Share of the dense leg, 0 to 1; null: the default. */
  denseWeight: number | null;
  reranker: RerankerSettings;
  /** Hits that are handed on where a question names no number; 1 to 100. */
  topK: number;
  /** Candidates of each leg; 100 to 1,000. */
  candidates: number;
  /** Hits that touch in their document are handed on as one passage. */
  mergeNeighbours: boolean;
  timeDecay: TimeDecay | null;
  trust: TrustTiers | null;
  rewrite: RewriteSettings;
}

export interface AnswerSettings {
  /** Route of the model that writes answers; null: the one of the configuration. */
  route: string | null;
  /** A template for the instructions, without logic; null: the built-in one in the language of the question. */
  prompt: string | null;
  /** What passages may take of the model's window, in tokens. */
  passageTokens: number;
  /** Sentences that their source does not support are marked, left out, or not looked at. */
  verify: 'flag' | 'withhold' | 'off';
  /** Route of a model that judges sentences which words alone cannot decide; null: none. */
  judgeRoute: string | null;
}

/** Everything that can be chosen for a collection. `index` decides what the index holds; a change builds it anew. */
export interface CollectionSettings {
  index: {
    chunker: ChunkerSettings;
    /** Route of the model that makes the vectors. */
    embeddingRoute: string;
  };
  retrieval: RetrievalSettings;
  answer: AnswerSettings;
}

/** What holds where nothing was chosen, for a given embedding route. */
export function defaultCollectionSettings(embeddingRoute: string): CollectionSettings {
  return {
    index: { chunker: { kind: 'recursive', targetTokens: 300, maxTokens: 500 }, embeddingRoute },
    retrieval: {
      mode: 'hybrid',
      fusion: 'convex',
      denseWeight: null,
      reranker: { kind: 'late-interaction' },
      topK: 5,
      candidates: 100,
      mergeNeighbours: true,
      timeDecay: null,
      trust: null,
      rewrite: { condense: true, queries: 0, hyde: false, subQueries: false },
    },
    answer: { route: null, prompt: null, passageTokens: 5_000, verify: 'flag', judgeRoute: null },
  };
}
