import { approximateTokens } from '../../lib/approximate-tokens.ts';
import type { ChatRequest, ContentPart } from '../../spec/chat.ts';
import { noUsage, type Usage } from '../../spec/usage.ts';

/**
 * The usage of a call about which the upstream kept silent, by approximation: near enough to meter by, and one
 * pass over the text whatever it is, where a tokeniser would hold up every other call.
 */
export function estimateUsage(request: () => ChatRequest, answered: string): Promise<Usage> {
  return Promise.resolve({
    ...noUsage('estimated'),
    inputTokens: approximateTokens(promptOf(request)),
    outputTokens: approximateTokens(answered),
  });
}

/** The same for an embedding call. */
export function estimateEmbeddingUsage(input: readonly string[]): Promise<Usage> {
  const inputTokens = input.reduce((sum, text) => sum + approximateTokens(text), 0);
  return Promise.resolve({ ...noUsage('estimated'), inputTokens });
}

/** The text of an answer, as far as it counts. */
export function answeredText(parts: readonly ContentPart[]): string {
  return parts.map(textOf).join('');
}

function promptOf(request: () => ChatRequest): string {
  const { messages, tools = [] } = request();
  const said = messages.flatMap((message) => message.parts.map(textOf));
  return [...said, ...tools.map((tool) => JSON.stringify(tool))].join('\n');
}

function textOf(part: ContentPart): string {
  switch (part.type) {
    case 'text':
    case 'reasoning':
      return part.text;
    case 'tool-call':
      return part.name + part.arguments;
    case 'tool-result':
      return part.content.map(textOf).join('\n');
    case 'image':
    case 'file':
    case 'audio':
      return '';
    default:
      return part satisfies never;
  }
}
