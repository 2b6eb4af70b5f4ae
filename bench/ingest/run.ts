/**
 * Chunks per second from a body on the wire to a committed index: parse, chunk, tokenise, embed, store, index, in the
 * server as a user runs it. Documents are made from word lists, one chunk of about 120 words (or 300 characters) each.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startSekishoProcess } from '../../test/support/start-server.ts';

const DOCUMENTS = Number(process.argv[2] ?? 10_000);
const BATCH = 500;
const ENGLISH =
  'gate road traveller keeper ledger toll mountain river letter permit market lantern winter harvest bridge horse captain message village border record season temple silver cedar journey answer question promise measure window shadow garden thunder island harbour copper needle mirror engine signal'.split(
    ' ',
  );
const JAPANESE =
  '関所 街道 旅人 役人 帳面 通行 手形 峠 宿場 馬 荷物 城下 山道 川 橋 灯り 冬 春 記録 検査 許可 村 町 米 商人 手紙 約束 夜明け 鐘 寺 神社 港 船 道具 印 石垣 見張り 門 番人 宿'.split(
    ' ',
  );

let seed = 42;
const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
const pick = (words: readonly string[]): string => words[Math.floor(random() * words.length)] ?? '';

function documentOf(number: number): { id: string; content: string } {
  const sentences = Array.from({ length: 10 }, () => {
    const words = Array.from({ length: 12 }, () => pick(number % 2 === 0 ? ENGLISH : JAPANESE));
    return number % 2 === 0 ? `The ${words.join(' ')} ${number}.` : `${words.join('の')}です。`;
  });
  return { id: `d${number}`, content: sentences.join(number % 2 === 0 ? ' ' : '') };
}

const dataFolder = mkdtempSync(join(tmpdir(), 'sekisho-bench-ingest-'));
const config = { discover: false, handbook: false, logging: { level: 'silent' as const } };
const server = await startSekishoProcess({ config, dataFolder });
const cpuMs = async (): Promise<number> => {
  const fields = (await Bun.file(`/proc/${server.pid}/stat`).text()).split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
};

const rows: object[] = [];
let chunks = 0;
const startedMs = performance.now();
const startedCpu = await cpuMs();
for (let from = 0; from < DOCUMENTS; from += BATCH) {
  const documents = Array.from({ length: Math.min(BATCH, DOCUMENTS - from) }, (_, i) => documentOf(from + i));
  const response = await fetch(`${server.url}/v1/index`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${server.adminKey}` },
    body: JSON.stringify({ collection_name: 'bench', documents }),
  });
  const told = (await response.json()) as { chunks: number; failed: unknown[] };
  if (!response.ok || told.failed.length > 0) throw new Error(JSON.stringify(told).slice(0, 500));
  chunks += told.chunks;
  if ((from + BATCH) % 2_500 === 0) {
    const seconds = (performance.now() - startedMs) / 1000;
    rows.push({ chunks, seconds: seconds.toFixed(1), 'chunks/s': Math.round(chunks / seconds) });
  }
}
const cpu = (await cpuMs()) - startedCpu;
console.table(rows);
console.log(`CPU per chunk: ${((cpu * 1000) / chunks).toFixed(0)} µs`);
await server.stop();
rmSync(dataFolder, { recursive: true, force: true });
