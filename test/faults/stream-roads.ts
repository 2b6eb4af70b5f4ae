import { isJsonObject } from '../../src/lib/json.ts';
import { ANTHROPIC_PING, COMMENT_PING, type Ping, type Place } from '../support/fake-provider/behaviour.ts';
import {
  anthropicText,
  errorsOf,
  openaiText,
  readStream,
  responsesText,
  type SeenStream,
} from '../support/read-stream.ts';
import { BEDROCK_MODEL, type Stage } from '../support/stage.ts';

/** One way from a caller's dialect to an upstream's wire. */
export interface Road {
  dialect: 'openai' | 'anthropic' | 'responses';
  wire: 'openai' | 'anthropic' | 'gemini' | 'bedrock';
  /** Whether the bytes of the upstream go to the caller as they are. */
  passes: boolean;
  /** Route with patient timeouts, and the same with tiny ones. */
  route: string;
  hasty: string;
  /** The upstream's name of the model. */
  model: string;
  /** A place in the recorded plain stream after which some of the text is out and some is not. */
  midway: Place;
  /** What keeps a connection awake on the wire and is no data; absent where the wire knows no such thing. */
  ping?: Ping;
  /** What the recorded plain answer reports as its output. */
  outputTokens: number;
}

const OPENAI_WIRE = {
  wire: 'openai',
  route: 'fast',
  hasty: 'hasty',
  model: 'gpt-4o-mini',
  midway: { events: 5 },
  ping: COMMENT_PING,
  outputTokens: 13,
} as const;
const ANTHROPIC_WIRE = {
  wire: 'anthropic',
  route: 'sonnet',
  hasty: 'hasty-sonnet',
  model: 'claude-sonnet-4-5',
  midway: { events: 6 },
  ping: ANTHROPIC_PING,
  outputTokens: 14,
} as const;
const GEMINI_WIRE = {
  wire: 'gemini',
  route: 'gemini',
  hasty: 'hasty-gemini',
  model: 'gemini-2.5-flash',
  midway: { events: 5 },
  ping: COMMENT_PING,
  outputTokens: 14,
} as const;
const BEDROCK_WIRE = {
  wire: 'bedrock',
  route: 'bedrock',
  hasty: 'hasty-bedrock',
  model: BEDROCK_MODEL,
  midway: { events: 5 },
  outputTokens: 14,
} as const;

/** The OpenAI wire where it takes the bodies of responses. */
const FORMS = { ...OPENAI_WIRE, route: 'forms', hasty: 'hasty-forms', midway: { events: 8 } } as const;

const DIALECTS = ['openai', 'anthropic', 'responses'] as const;

/** Every dialect over every wire: what holds for one holds for all. */
export const ROADS: readonly Road[] = [
  { dialect: 'openai', ...OPENAI_WIRE, passes: true },
  { dialect: 'openai', ...ANTHROPIC_WIRE, passes: false },
  { dialect: 'anthropic', ...ANTHROPIC_WIRE, passes: true },
  { dialect: 'anthropic', ...OPENAI_WIRE, passes: false },
  { dialect: 'responses', ...FORMS, passes: true },
  { dialect: 'responses', ...OPENAI_WIRE, passes: false },
  { dialect: 'responses', ...ANTHROPIC_WIRE, passes: false },
  ...[GEMINI_WIRE, BEDROCK_WIRE].flatMap((wire) => DIALECTS.map((dialect) => ({ dialect, ...wire, passes: false }))),
];

/** The roads whose wire knows pings. */
export const PINGING_ROADS = ROADS.flatMap((road) => (road.ping === undefined ? [] : [{ ...road, ping: road.ping }]));

/** The roads on which the OpenAI wire streams chunks of a chat. */
export const OPENAI_WIRE_ROADS = ROADS.filter((road) => road.wire === 'openai' && road.route !== FORMS.route);

const PATHS = { openai: '/v1/chat/completions', anthropic: '/v1/messages', responses: '/v1/responses' };

/** What the recorded plain answers say. */
export const TEXT = 'The gate is open. 関所は開いています 🏯.';

/** Asks over a road; `route` comes before the road's own. */
export function askOver(
  stage: Stage,
  road: Road,
  options: { route?: string; stream?: false; signal?: AbortSignal; key?: string; more?: object } = {},
): Promise<Response> {
  const { signal, key } = options;
  return stage.post(
    PATHS[road.dialect],
    {
      model: options.route ?? road.route,
      ...(road.dialect === 'responses'
        ? { input: 'Is the gate open?' }
        : { messages: [{ role: 'user', content: 'Is the gate open?' }] }),
      ...(road.dialect === 'anthropic' ? { max_tokens: 200 } : {}),
      ...(options.stream === false ? {} : { stream: true }),
      ...options.more,
    },
    { ...(signal ? { signal } : {}), ...(key ? { headers: { authorization: `Bearer ${key}` } } : {}) },
  );
}

/** Asks and reads to the end. */
export async function streamOver(
  stage: Stage,
  road: Road,
  options: Parameters<typeof askOver>[2] = {},
): Promise<SeenStream> {
  return readStream(await askOver(stage, road, options));
}

/** The text of the deltas, in the road's dialect. */
export function textOf(road: Road, seen: SeenStream): string {
  if (road.dialect === 'responses') return responsesText(seen.data);
  return road.dialect === 'openai' ? openaiText(seen.data) : anthropicText(seen.data);
}

/** How often the stream said that it was complete: `[DONE]`, `message_stop` or `response.completed`. */
export function completions(road: Road, seen: SeenStream): number {
  const last = road.dialect === 'anthropic' ? 'message_stop' : 'response.completed';
  return seen.data.filter((each) =>
    road.dialect === 'openai' ? each === '[DONE]' : isJsonObject(each) && each['type'] === last,
  ).length;
}

/** How often the stream gave a reason for its end. */
export function finishes(road: Road, seen: SeenStream): number {
  const marks = {
    openai: /"finish_reason":\s*"/g,
    anthropic: /"stop_reason":\s*"/g,
    responses: /"type":\s*"response\.completed"/g,
  };
  return seen.text.match(marks[road.dialect])?.length ?? 0;
}

/** What a stream that failed midway looks like to its caller. */
export function failureOf(
  road: Road,
  seen: SeenStream,
): { status: number; errors: number; completions: number; end: string } {
  return {
    status: seen.status,
    errors: errorsOf(seen.data).length,
    completions: completions(road, seen),
    end: seen.end,
  };
}

/** The one right look of a failed stream: an error event, nothing that says it is complete, a proper end. */
export const FAILED = { status: 200, errors: 1, completions: 0, end: 'closed' };
