import { imageTokens } from '../../nlp/count-tokens/image-tokens.ts';
import type { ChatRequest, ContentPart, Message } from '../../spec/chat.ts';

/** What must be counted of some content: text, and tokens that are known without counting. */
export interface Weight {
  text: string;
  /** Templates, images, files, sound. */
  tokens: number;
}

/** What templates of chats put around a message, a call, a tool. */
const PER_MESSAGE = 4;
const PER_CALL = 8;
const PER_TOOL = 12;
const PER_REQUEST = 3;
/** A page of a PDF is some 20 KB and counts as some 2,000 tokens of text and picture. */
const FILE_BYTES_PER_TOKEN = 10;
/** Compressed speech of 16 KB a second at some 30 tokens a second; uncompressed sound is overestimated. */
const AUDIO_BYTES_PER_TOKEN = 500;

/** The weight of messages that stay together. */
export function weighMessages(messages: readonly Message[], model: string): Weight {
  const parts = messages.flatMap((message) => message.parts);
  const names = messages.flatMap(({ name }) => name ?? []);
  return {
    text: [...names, ...parts.map(textOf)].join('\n'),
    tokens: messages.length * PER_MESSAGE + parts.reduce((sum, part) => sum + mediaTokens(part, model), 0),
  };
}

/** The weight of everything that stands beside the messages: tools, the form of the answer, passages. */
export function weighSurroundings(request: ChatRequest): Weight {
  const { tools = [], responseFormat, passages = [] } = request;
  const said = [...tools.map((tool) => JSON.stringify(tool)), ...passages.map((each) => JSON.stringify(each))];
  if (responseFormat?.type === 'json-schema') said.push(JSON.stringify(responseFormat.schema));
  return { text: said.join('\n'), tokens: PER_REQUEST + tools.length * PER_TOOL };
}

/** The text of a part, as far as it becomes tokens. */
export function textOf(part: ContentPart): string {
  switch (part.type) {
    case 'text':
      return part.text;
    case 'reasoning':
      return part.text + (part.redacted ?? '');
    case 'tool-call':
      return `${part.name}\n${part.arguments}`;
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

function mediaTokens(part: ContentPart, model: string): number {
  switch (part.type) {
    case 'image':
      return imageTokens(model, part);
    case 'file':
      return Math.ceil((part.data.length * 3) / 4 / FILE_BYTES_PER_TOKEN);
    case 'audio':
      return Math.ceil((part.data.length * 3) / 4 / AUDIO_BYTES_PER_TOKEN);
    case 'tool-call':
      return PER_CALL;
    case 'tool-result':
      return PER_CALL + part.content.reduce((sum, inner) => sum + mediaTokens(inner, model), 0);
    case 'text':
    case 'reasoning':
      return 0;
    default:
      return part satisfies never;
  }
}
