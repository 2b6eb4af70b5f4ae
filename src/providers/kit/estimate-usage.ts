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
  return {
    ...noUsage('estimated'),
    inputTokens: await countTokens(promptOf(request)),
    outputTokens: await countTokens(answered),
  };
}

/** The same for an embedding call. */
export async function estimateEmbeddingUsage(input: readonly string[]): Promise<Usage> {
  return { ...noUsage('estimated'), inputTokens: await countTokens(input.join('\n')) };
}

/** The text of an answer, as far as it counts. */
export function answeredText(parts: readonly ContentPart[]): string {
  return parts.map(textOf).join('');
}

async function countTokens(text: string): Promise<number> {
  const tokeniser = await import('gpt-tokenizer/encoding/o200k_base');
  if (text.length <= SAMPLE_LENGTH) return tokeniser.countTokens(text);
  return Math.ceil((tokeniser.countTokens(text.slice(0, SAMPLE_LENGTH)) * text.length) / SAMPLE_LENGTH);
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
