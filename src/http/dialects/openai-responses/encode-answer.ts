import type { JsonObject, JsonValue } from '../../../lib/json.ts';
import type { ChatResult, ContentPart, FinishReason } from '../../../spec/chat.ts';
import type { Citation } from '../../../spec/citation.ts';
import { newId } from '../../../spec/ids.ts';
import type { Usage } from '../../../spec/usage.ts';
import type { EncodeContext } from '../dialect.ts';
import { sealReasoning } from './sealed-reasoning.ts';

/** Usage in the words of the dialect. */
export function encodeUsage(usage: Usage): JsonObject {
  return {
    input_tokens: usage.inputTokens,
    input_tokens_details: {
      cached_tokens: usage.cachedInputTokens,
      ...(usage.cacheWriteTokens > 0 && { cache_write_tokens: usage.cacheWriteTokens }),
    },
    output_tokens: usage.outputTokens,
    output_tokens_details: { reasoning_tokens: usage.reasoningTokens },
    total_tokens: usage.inputTokens + usage.outputTokens,
  };
}

/** A response (platform.openai.com/docs/api-reference/responses/object). */
export function encodeResponse(result: ChatResult, context: EncodeContext): JsonObject {
  const key = responseKey(result.id);
  const head = responseHead({ ...result, key }, context);
  return finishedResponse(head, {
    output: encodeItems(result, key),
    finish: result.finish,
    usage: result.usage,
  });
}

/** What the ids of one response have in common, from the id that the upstream gave. */
export function responseKey(id: string): string {
  const bare = id.replace(/^(?:resp|chatcmpl|cmpl|msg|gen)[_-]/, '');
  return bare === '' ? newId('x').slice(2) : bare;
}

/** A response that has just begun: what the caller asked for is told back, as the vendor does. */
export function responseHead(
  begun: { key: string; model: string; createdMs: number },
  { route, request }: EncodeContext,
): JsonObject {
  const told = (name: string, otherwise: JsonValue): JsonValue => request[name] ?? otherwise;
  return {
    id: `resp_${begun.key}`,
    object: 'response',
    created_at: Math.floor(begun.createdMs / 1000),
    status: 'in_progress',
    background: false,
    error: null,
    incomplete_details: null,
    instructions: told('instructions', null),
    max_output_tokens: told('max_output_tokens', null),
    model: begun.model === '' ? route : begun.model,
    output: [],
    parallel_tool_calls: told('parallel_tool_calls', true),
    previous_response_id: told('previous_response_id', null),
    reasoning: told('reasoning', { effort: null, summary: null }),
    store: false,
    temperature: told('temperature', null),
    text: told('text', { format: { type: 'text' } }),
    tool_choice: told('tool_choice', 'auto'),
    tools: told('tools', []),
    top_p: told('top_p', null),
    truncation: told('truncation', 'disabled'),
    usage: null,
    user: told('user', null),
    metadata: told('metadata', {}),
  };
}

/** The response at its end. One that was cut short says by what. */
export function finishedResponse(
  head: JsonObject,
  { output, finish, usage }: { output: JsonObject[]; finish: FinishReason; usage: Usage },
): JsonObject {
  const reason = incompleteReason(finish);
  return {
    ...head,
    status: reason === undefined ? 'completed' : 'incomplete',
    incomplete_details: reason === undefined ? null : { reason },
    output,
    usage: encodeUsage(usage),
  };
}

/** Why an answer is not whole; undefined where it is. */
export function incompleteReason(finish: FinishReason): string | undefined {
  if (finish === 'length') return 'max_output_tokens';
  return finish === 'content-filter' ? 'content_filter' : undefined;
}

function encodeItems(result: ChatResult, key: string): JsonObject[] {
  const status = incompleteReason(result.finish) === undefined ? 'completed' : 'incomplete';
  const items: JsonObject[] = [];
  const lastText = result.parts.findLastIndex((part) => part.type === 'text');
  result.parts.forEach((part, index) => {
    const cited = index === lastText ? (result.citations ?? []) : [];
    const item = encodeItem(part, { id: `${key}_${items.length}`, status, cited });
    if (item !== undefined) items.push(item);
  });
  return items;
}

function encodeItem(
  part: ContentPart,
  { id, status, cited }: { id: string; status: string; cited: readonly Citation[] },
): JsonObject | undefined {
  switch (part.type) {
    case 'text':
      return messageItem(`msg_${id}`, { status, content: [textPart(part.text, cited.map(encodeCitation))] });
    case 'reasoning':
      return reasoningItem(`rs_${id}`, { text: part.text, sealed: sealReasoning(part), status });
    case 'tool-call':
      return callItem(`fc_${id}`, { callId: part.id, name: part.name, written: part.arguments, status });
    case 'image':
    case 'file':
    case 'audio':
    case 'tool-result':
      return undefined;
    default:
      return part satisfies never;
  }
}

export function messageItem(id: string, { status, content }: { status: string; content: JsonObject[] }): JsonObject {
  return { id, type: 'message', status, role: 'assistant', content };
}

export function textPart(text: string, annotations: JsonObject[] = []): JsonObject {
  return { type: 'output_text', text, annotations, logprobs: [] };
}

export function reasoningItem(
  id: string,
  { text, sealed, status }: { text: string; sealed: string | undefined; status: string },
): JsonObject {
  const summary = text === '' ? [] : [{ type: 'summary_text', text }];
  return { id, type: 'reasoning', summary, ...(sealed !== undefined && { encrypted_content: sealed }), status };
}

export function callItem(
  id: string,
  call: { callId: string; name: string; written: string; status: string },
): JsonObject {
  const { callId, name, written, status } = call;
  return { id, type: 'function_call', status, call_id: callId, name, arguments: written };
}

/** A citation as an annotation with an address of its own; our fields stand beside those of the dialect. */
export function encodeCitation(citation: Citation): JsonObject {
  return {
    type: 'url_citation',
    start_index: citation.answer_start ?? 0,
    end_index: citation.answer_end ?? 0,
    title: citation.title ?? citation.document_id,
    url: `sekisho://documents/${encodeURIComponent(citation.document_id)}`,
    ...citation,
  };
}
