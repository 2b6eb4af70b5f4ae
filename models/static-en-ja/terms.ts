import { createTokenizer } from '../../src/nlp/tokenize.ts';

/** The product's index terms for evaluate.py: one JSON string per line in, one JSON array of terms per line out. */
const tokenize = createTokenizer();
const lines = (await Bun.stdin.text()).split('\n');
const out: string[] = [];
for (const line of lines) {
  if (line === '') continue;
  const text: unknown = JSON.parse(line);
  out.push(JSON.stringify(typeof text === 'string' ? tokenize(text) : []));
}
await Bun.write(Bun.stdout, `${out.join('\n')}\n`);
