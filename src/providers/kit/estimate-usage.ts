import type { ChatRequest, ContentPart } from '../../spec/chat.ts';
import { noUsage, type Usage } from '../../spec/usage.ts';

/** Text beyond this is not cut into tokens but taken to be as dense as its beginning. */
const SAMPLE_LENGTH = 100_000;

/**
 * The usage of a call about which the upstream kept silent: tokens of o200k, the tokeniser of OpenAI's
 * models since 2024, which for other models is near enough to meter by. The tokeniser is loaded when it is
 * first needed: most upstreams report, and its tables take time and memory.
 */
export async function estimateUsage(request: () => ChatRequest, answered: string): Promise<Usage> {
  const { countTokens } = await import('gpt-tokenizer/encoding/o200k_base');
  const count = (text: string): number => {
    if (text.length <= SAMPLE_LENGTH) return countTokens(text);
    return Math.ceil((countTokens(text.slice(0, SAMPLE_LENGTH)) * text.length) / SAMPLE_LENGTH);
  };
  return {
    ...noUsage('estimated'),
    inputTokens: count(promptOf(request)),
    outputTokens: count(answered),
  };
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
