import { isJsonObject, parseJson, type JsonObject } from '../../../lib/json.ts';
import type { ChatResult, ContentPart, FinishReason } from '../../../spec/chat.ts';
import type { Citation } from '../../../spec/citation.ts';
import type { Usage } from '../../../spec/usage.ts';
import type { EncodeContext } from '../dialect.ts';

/** Usage in the words of the dialect, which counts cached tokens beside `input_tokens` and not in it. */
export function encodeUsage(usage: Usage): JsonObject {
  return {
    input_tokens: Math.max(0, usage.inputTokens - usage.cachedInputTokens - usage.cacheWriteTokens),
    cache_creation_input_tokens: usage.cacheWriteTokens,
    cache_read_input_tokens: usage.cachedInputTokens,
    output_tokens: usage.outputTokens,
  };
}

/** A message (docs.anthropic.com/en/api/messages). Citations stand on its last text block. */
export function encodeMessage(result: ChatResult, { route }: EncodeContext): JsonObject {
  const content = result.parts.flatMap(encodeBlock);
  const text = content.findLast((block) => block['type'] === 'text');
  if (result.citations !== undefined && result.citations.length > 0 && text !== undefined) {
    text['citations'] = result.citations.map(encodeCitation);
  }
  return {
    id: result.id,
    type: 'message',
    role: 'assistant',
    model: result.model === '' ? route : result.model,
    content,
    stop_reason: encodeFinish(result.finish),
    stop_sequence: null,
    usage: encodeUsage(result.usage),
  };
}

/** Why an answer ended, in the words of the dialect. */
export function encodeFinish(finish: FinishReason): string {
  const words = {
    stop: 'end_turn',
    length: 'max_tokens',
    'tool-calls': 'tool_use',
    'content-filter': 'refusal',
    other: 'end_turn',
  };
  return words[finish];
}

/** A citation as a place in a document, with our fields beside those of the dialect. */
export function encodeCitation(citation: Citation, index: number): JsonObject {
  return {
    type: 'char_location',
    cited_text: citation.sentence,
    document_index: index,
    document_title: citation.title ?? citation.document_id,
    start_char_index: citation.start,
    end_char_index: citation.end,
    file_id: null,
    ...citation,
  };
}

function encodeBlock(part: ContentPart): JsonObject[] {
  switch (part.type) {
    case 'text':
      return [{ type: 'text', text: part.text, citations: null }];
    case 'reasoning':
      if (part.redacted !== undefined) return [{ type: 'redacted_thinking', data: part.redacted }];
      return [{ type: 'thinking', thinking: part.text, signature: part.signature ?? '' }];
    case 'tool-call':
      return [{ type: 'tool_use', id: part.id, name: part.name, input: inputOf(part.arguments) }];
    case 'image':
    case 'file':
    case 'audio':
    case 'tool-result':
      return [];
    default:
      return part satisfies never;
  }
}

/** What a model wrote as arguments may be no JSON; the dialect wants an object. */
function inputOf(text: string): JsonObject {
  if (text.trim() === '') return {};
  const parsed = parseJson(text);
  return isJsonObject(parsed) ? parsed : { arguments: text };
}
