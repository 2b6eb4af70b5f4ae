import { arrayAt, isJsonObject, numberAt, stringAt } from '../lib/json.ts';
import type { CommandInput } from './command.ts';
import { withServer } from './with-server.ts';

/** `ask "<question>"`: the answer, and the sentences that it rests on. */
export async function askCommand(input: CommandInput): Promise<number> {
  const { terminal, options } = input;
  const question = input.words.join(' ').trim();
  if (question === '') {
    terminal.warn('What is the question? sekisho ask "How do I create a key?"');
    return 2;
  }
  const topK = options['top-k'] === undefined ? undefined : Number(options['top-k']);
  if (topK !== undefined && !Number.isInteger(topK)) {
    terminal.warn('--top-k is a number of passages, such as --top-k 8');
    return 2;
  }
  const answer = await withServer(input, (server) =>
    server.json('POST', '/v1/query', {
      query: question,
      collection: options.collection ?? 'handbook',
      ...(topK !== undefined && { top_k: topK }),
    }),
  );
  terminal.print(stringAt(answer, 'answer') ?? '');
  const citations = arrayAt(answer, 'citations').filter(isJsonObject);
  if (citations.length > 0) terminal.print('');
  citations.forEach((citation, index) => {
    const page = numberAt(citation, 'page');
    const at = `${numberAt(citation, 'start')}–${numberAt(citation, 'end')}`;
    terminal.print(
      `  [${index + 1}] ${stringAt(citation, 'document_id')} ${at}${page === undefined ? '' : `, page ${page}`}`,
    );
  });
  terminal.warn(`  ${(numberAt(answer, 'processing_time') ?? 0).toFixed(3)} s, ${stringAt(answer, 'model')}`);
  return 0;
}
