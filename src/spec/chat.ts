import type { JsonObject, JsonValue } from '../lib/json.ts';
import type { Citation } from './citation.ts';
import type { SekishoError } from './errors.ts';
import type { Usage } from './usage.ts';

/** One piece of a message. Images carry either a URL (http(s) or data:) or base64 data with a media type. */
export type ContentPart =
  | { type: 'text'; text: string; cache?: CacheMarker }
  | { type: 'image'; url: string; detail?: string; cache?: CacheMarker }
  | { type: 'file'; data: string; mediaType: string; name?: string; cache?: CacheMarker }
  | { type: 'audio'; data: string; format: string }
  | { type: 'reasoning'; text: string; signature?: string; redacted?: string }
  | ToolCallPart
  | ToolResultPart;

/** A prompt-cache breakpoint after this part; wires without explicit caching ignore it. */
export interface CacheMarker {
  ttl?: string;
}

export interface ToolCallPart {
  type: 'tool-call';
  id: string;
  name: string;
  /** The arguments as the model wrote them: JSON text, perhaps not valid JSON. */
  arguments: string;
}

export interface ToolResultPart {
  type: 'tool-result';
  id: string;
  content: ContentPart[];
  isError?: boolean;
}

export interface Message {
  role: 'system' | 'user' | 'assistant';
  name?: string;
  parts: ContentPart[];
  /** Kept when a history is trimmed. No wire carries it. */
  pinned?: boolean;
}

export interface ToolDefinition {
  name: string;
  description?: string;
  /** JSON Schema of the arguments. */
  parameters: JsonObject;
  strict?: boolean;
  cache?: CacheMarker;
}

export type ToolChoice = { type: 'auto' | 'none' | 'required' } | { type: 'tool'; name: string };

export type ResponseFormat =
  | { type: 'text' }
  | { type: 'json' }
  | { type: 'json-schema'; name: string; schema: JsonObject; strict?: boolean; description?: string };

/** A passage that travels with a question, for targets that answer from documents. */
export interface PassageInput {
  id: string;
  title?: string;
  /** The headings that its beginning stands under, outermost first. */
  headings?: readonly string[];
  content: string;
}

/** A chat call in the words that every dialect and wire translates from and to. */
export interface ChatRequest {
  messages: Message[];
  tools?: ToolDefinition[];
  toolChoice?: ToolChoice;
  parallelToolCalls?: boolean;
  responseFormat?: ResponseFormat;
  maxOutputTokens?: number;
  temperature?: number;
  topP?: number;
  topK?: number;
  stop?: string[];
  seed?: number;
  presencePenalty?: number;
  frequencyPenalty?: number;
  reasoning?: { effort?: string; budgetTokens?: number };
  endUser?: string;
  passages?: PassageInput[];
  /** Fields that the vocabulary has no word for, by the name they came under. A wire that cannot carry them says so. */
  extra?: Record<string, JsonValue>;
}

export type FinishReason = 'stop' | 'length' | 'tool-calls' | 'content-filter' | 'other';

/** A whole answer. */
export interface ChatResult {
  id: string;
  model: string;
  createdMs: number;
  parts: ContentPart[];
  finish: FinishReason;
  usage: Usage;
  citations?: Citation[];
}

/** One piece of a streamed answer, in order: start, deltas, usage, then finish exactly once; or error, which ends it. */
export type StreamPart =
  | { type: 'start'; id: string; model: string; createdMs: number }
  | { type: 'text'; text: string }
  | { type: 'reasoning'; text: string; signature?: string }
  | { type: 'tool-call-start'; index: number; id: string; name: string }
  | { type: 'tool-call-delta'; index: number; arguments: string }
  | { type: 'citations'; citations: Citation[] }
  | { type: 'usage'; usage: Usage }
  | { type: 'finish'; finish: FinishReason }
  | { type: 'error'; error: SekishoError };
