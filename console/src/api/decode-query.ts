import { arrayAt, isJsonObject, numberAt, objectAt, stringAt, type JsonObject } from '../../../src/lib/json.ts';
import type { QueryCitation, QueryExplain, QueryLegExplain, QuerySource } from '../../../src/http/contract/query.ts';

/* What comes over the wire is read field by field: a field of another type becomes empty, never a crash. */

export function decodeSources(body: JsonObject): QuerySource[] {
  return objectsAt(body, 'sources').map((source) => ({
    document_id: stringAt(source, 'document_id') ?? '',
    chunk_id: stringAt(source, 'chunk_id') ?? '',
    start: numberAt(source, 'start') ?? 0,
    end: numberAt(source, 'end') ?? 0,
    title: stringAt(source, 'title') ?? '',
    heading_path: arrayAt(source, 'heading_path').filter((heading) => typeof heading === 'string'),
    content: stringAt(source, 'content') ?? '',
    score: numberAt(source, 'score') ?? 0,
    metadata: objectAt(source, 'metadata') ?? {},
  }));
}

export function decodeCitations(body: JsonObject): QueryCitation[] {
  return objectsAt(body, 'citations').map((citation) => {
    const answerStart = numberAt(citation, 'answer_start');
    const answerEnd = numberAt(citation, 'answer_end');
    return {
      document_id: stringAt(citation, 'document_id') ?? '',
      start: numberAt(citation, 'start') ?? 0,
      end: numberAt(citation, 'end') ?? 0,
      sentence: stringAt(citation, 'sentence') ?? '',
      ...(answerStart === undefined ? {} : { answer_start: answerStart }),
      ...(answerEnd === undefined ? {} : { answer_end: answerEnd }),
    };
  });
}

export function decodeExplain(body: JsonObject): QueryExplain | undefined {
  const explain = objectAt(body, 'explain');
  if (explain === undefined) return undefined;
  const timings: Record<string, number> = {};
  for (const [step, value] of Object.entries(objectAt(explain, 'timings') ?? {})) {
    if (typeof value === 'number' && Number.isFinite(value)) timings[step] = value;
  }
  const hits = objectsAt(explain, 'hits').map((hit) => {
    const lexical = decodeLeg(objectAt(hit, 'lexical'));
    const dense = decodeLeg(objectAt(hit, 'dense'));
    return {
      chunk_id: stringAt(hit, 'chunk_id') ?? '',
      fused: numberAt(hit, 'fused') ?? 0,
      ...(lexical === undefined ? {} : { lexical }),
      ...(dense === undefined ? {} : { dense }),
    };
  });
  return { hits, timings };
}

function decodeLeg(leg: JsonObject | undefined): QueryLegExplain | undefined {
  if (leg === undefined) return undefined;
  return {
    rank: numberAt(leg, 'rank') ?? 0,
    raw: numberAt(leg, 'raw') ?? 0,
    normalised: numberAt(leg, 'normalised') ?? 0,
    weight: numberAt(leg, 'weight') ?? 0,
  };
}

function objectsAt(body: JsonObject, key: string): JsonObject[] {
  return arrayAt(body, key).filter(isJsonObject);
}
