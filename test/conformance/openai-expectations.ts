import type OpenAI from 'openai';

/** What the recorded plain answers say. */
export const TEXT = 'The gate is open. 関所は開いています 🏯.';

export const WEATHER_TOOL: OpenAI.ChatCompletionFunctionTool = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'Weather of a city',
    parameters: {
      type: 'object',
      properties: { city: { type: 'string' }, unit: { type: 'string', enum: ['celsius', 'fahrenheit'] } },
      required: ['city'],
    },
  },
};

const call = (id: string, city: string): OpenAI.ChatCompletionMessageFunctionToolCall => ({
  id,
  type: 'function',
  function: { name: 'get_weather', arguments: `{"city":"${city}","unit":"celsius"}` },
});

/** The calls of the recorded parallel-tools answer on the openai wire. */
export const PARALLEL_CALLS = [call('call_tokyo01', 'Tokyo'), call('call_paris02', 'Paris')];

/** The same as the anthropic wire names them. */
export const PARALLEL_USES = [call('toolu_tokyo01', 'Tokyo'), call('toolu_paris02', 'Paris')];

export interface CollectedStream {
  text: string;
  calls: OpenAI.ChatCompletionMessageFunctionToolCall[];
  finish: string | undefined;
  /** How often a finish reason was given. */
  finishes: number;
  usage: OpenAI.CompletionUsage | undefined;
  /** Chunks in whose choices nothing was. */
  emptyChunks: number;
}

/** Puts a streamed answer together as a caller does: by the indexes of its tool calls. */
export async function collectStream(stream: AsyncIterable<OpenAI.ChatCompletionChunk>): Promise<CollectedStream> {
  const seen: CollectedStream = {
    text: '',
    calls: [],
    finish: undefined,
    finishes: 0,
    usage: undefined,
    emptyChunks: 0,
  };
  for await (const chunk of stream) {
    if (chunk.usage) seen.usage = chunk.usage;
    const choice = chunk.choices[0];
    if (!choice) seen.emptyChunks++;
    seen.text += choice?.delta.content ?? '';
    for (const delta of choice?.delta.tool_calls ?? []) {
      const known = (seen.calls[delta.index] ??= { id: '', type: 'function', function: { name: '', arguments: '' } });
      known.id ||= delta.id ?? '';
      known.function.name ||= delta.function?.name ?? '';
      known.function.arguments += delta.function?.arguments ?? '';
    }
    if (choice?.finish_reason) {
      seen.finish = choice.finish_reason;
      seen.finishes++;
    }
  }
  return seen;
}
