import type { QueryCitation, QueryExplain, QuerySource } from '../../../src/http/contract/query.ts';

/** Why a question got no whole answer. Messages of the server are in the caller's language already. */
export type Failure =
  | { kind: 'server'; code: string; message: string; requestId?: string }
  | { kind: 'unreachable' | 'brokenStream' | 'unreadable'; requestId?: string };

/** What is known of the request itself; times in milliseconds. */
export interface Facts {
  firstByteMs?: number;
  totalMs?: number;
  serverMs?: number;
  overheadMs?: number;
  requestId?: string;
  route?: string;
  target?: string;
  cache?: string;
  costUsd?: string;
  inputTokens?: number;
  outputTokens?: number;
}

/** One question and what has come of it so far. */
export interface Run {
  question: string;
  kind: 'documents' | 'model';
  phase: 'waiting' | 'streaming' | 'done' | 'stopped' | 'failed';
  text: string;
  reasoning: string;
  answered: boolean;
  sources: readonly QuerySource[];
  citations: readonly QueryCitation[];
  explain?: QueryExplain;
  facts: Facts;
  failure?: Failure;
}

export function newRun(question: string, kind: Run['kind']): Run {
  return {
    question,
    kind,
    phase: 'waiting',
    text: '',
    reasoning: '',
    answered: true,
    sources: [],
    citations: [],
    facts: {},
  };
}

/** Index of the source a citation points into: the one that holds the span, else overlaps it, else -1. */
export function sourceIndexOf(citation: QueryCitation, sources: readonly QuerySource[]): number {
  const sameDocument = (source: QuerySource) => source.document_id === citation.document_id;
  const holds = (source: QuerySource) => source.start <= citation.start && citation.end <= source.end;
  const overlaps = (source: QuerySource) => source.start < citation.end && citation.start < source.end;
  const holding = sources.findIndex((source) => sameDocument(source) && holds(source));
  return holding >= 0 ? holding : sources.findIndex((source) => sameDocument(source) && overlaps(source));
}
