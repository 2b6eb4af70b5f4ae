import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { arrayAt, isJsonObject, parseJson, stringAt, type JsonObject } from '../../src/lib/json.ts';
import { startSekisho } from '../../test/support/start-server.ts';

/** Asks the running product the questions of handbook-questions.json and counts what is right. */
interface Asked {
  ask: string;
  holds: string[];
}
interface Tally {
  asked: number;
  right: number;
  first: number;
}

const LANGUAGES = ['en', 'ja'] as const;
const HALVES = ['tune', 'judge'] as const;
const SHOWN = 400;

const questions = readObject(readFileSync(join(import.meta.dir, 'handbook-questions.json'), 'utf8'));
const server = await startSekisho({ config: { discover: false, logging: { level: 'silent' } } });
try {
  const rows: string[] = [];
  for (const language of LANGUAGES) {
    const tallies: Record<(typeof HALVES)[number], Tally> = {
      tune: { asked: 0, right: 0, first: 0 },
      judge: { asked: 0, right: 0, first: 0 },
    };
    for (const [index, { ask, holds }] of askedOf(language).entries()) {
      const half = index % 2 === 0 ? 'tune' : 'judge';
      const { answer, cited } = await query(ask);
      const isRight = holds.some((text) => answer.includes(text));
      const tally = tallies[half];
      tally.asked++;
      if (isRight) tally.right++;
      if (holds.some((text) => (cited[0] ?? '').includes(text))) tally.first++;
      show(`${isRight ? 'right' : 'WRONG'} (${half})`, { ask, answer, cited });
    }
    for (const half of HALVES) {
      const { asked, right, first } = tallies[half];
      rows.push(`| ${language} | ${half} | ${asked} | ${right} | ${first} |`);
    }
  }
  let silent = 0;
  const unanswered = arrayAt(questions, 'unanswered') ?? [];
  for (const ask of unanswered) {
    const { answer, cited } = await query(String(ask));
    if (cited.length === 0) silent++;
    show(cited.length === 0 ? 'silent' : 'SAYS', { ask: String(ask), answer, cited });
  }
  console.log('| language | half | questions | answer holds it | first sentence holds it |\n|---|---|---|---|---|');
  console.log(rows.join('\n'));
  console.log(`\nSilent where the handbook does not say: ${silent} of ${unanswered.length}`);
} finally {
  await server.stop();
}

async function query(text: string): Promise<{ answer: string; cited: string[] }> {
  const response = await fetch(`${server.url}/v1/query`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${server.adminKey}` },
    body: JSON.stringify({ collection: 'handbook', query: text }),
  });
  const body = readObject(await response.text());
  const citations = (arrayAt(body, 'citations') ?? []).filter(isJsonObject);
  return { answer: stringAt(body, 'answer') ?? '', cited: citations.map((one) => stringAt(one, 'sentence') ?? '') };
}

function show(verdict: string, { ask, answer, cited }: { ask: string; answer: string; cited: string[] }): void {
  console.log(`${verdict}: ${ask} [${cited.length}]\n${answer.slice(0, SHOWN).replaceAll(/^/gm, '    ')}\n`);
}

function askedOf(language: (typeof LANGUAGES)[number]): Asked[] {
  return (arrayAt(questions, language) ?? []).filter(isJsonObject).map((one) => ({
    ask: stringAt(one, 'ask') ?? '',
    holds: (arrayAt(one, 'holds') ?? []).map(String),
  }));
}

function readObject(text: string): JsonObject {
  const value = parseJson(text);
  if (!isJsonObject(value)) throw new Error(`not an object: ${text.slice(0, 200)}`);
  return value;
}
