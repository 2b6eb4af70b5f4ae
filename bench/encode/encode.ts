import { createStaticEncoder } from '../../src/nlp/embed/static-encoder.ts';
import { createTokenMatch } from '../../src/nlp/embed/token-match.ts';

/** Texts per second of the bundled encoder on made-up text; see README.md. */
const bytes = new Uint8Array(
  await Bun.file(new URL('../../models/static-en-ja/model.bin', import.meta.url)).arrayBuffer(),
);
const loading = performance.now();
const encoder = createStaticEncoder(bytes);
const loadMs = performance.now() - loading;

/** Mulberry32: the same text in every run. */
let state = 42;
const random = (): number => {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), state | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
};

const english =
  `the of and to in is that it was for on are with as at be this have from or had by but some what there we can out
other were all your when up use word how said an each she which do their time if will way about many then them would write like
so these her long make thing see him two has look more day could go come did my sound no most number who over know water than
call first people may down side been now find any new work part take get place made live where after back little only round man
year came show every good me give our under name very through just form much great think say help low line before turn cause same
mean differ move right boy old too does tell sentence set three want air well also play small end put home read hand port large
configuration authentication latency throughput retrieval gateway streaming embeddings kubernetes tokenisation misconfigured
idempotent backpressure observability quota invoice reimbursement warranty onboarding hyperparameter deserialization`.split(
    /\s+/,
  );
const japanese =
  `東京 料金 利用者 設定 は が を に で と も から まで した する します です 認証 要求 応答 遅延 検索 文書 契約 請求 サーバー データ
エラー モデル ログイン パスワード アクセス 申請 休暇 規程 保証 返品 変更 確認 必要 場合 方法 問い合わせ 担当者 会議 資料 送信 受信 監査 管理 権限 、 。`.split(
    /\s+/,
  );
const make = (words: readonly string[], count: number, joiner: string): string =>
  Array.from({ length: count }, () => words[Math.floor(random() * random() * words.length)]).join(joiner);

function measure(label: string, texts: readonly string[]): void {
  const rates: number[] = [];
  for (let round = 0; round < 9; round += 1) {
    const start = performance.now();
    for (const text of texts) encoder.encode(text);
    rates.push((texts.length / (performance.now() - start)) * 1000);
  }
  rates.sort((a, b) => a - b);
  const tokens = texts.reduce((sum, text) => sum + encoder.countTokens(text), 0) / texts.length;
  console.log(
    `${label}: median ${Math.round(rates[4] ?? 0)} texts/s (min ${Math.round(rates[0] ?? 0)}, max ${Math.round(rates[8] ?? 0)}), ${tokens.toFixed(0)} tokens each`,
  );
}

console.log(`load ${loadMs.toFixed(0)} ms, resident ${(process.memoryUsage().rss / 1e6).toFixed(0)} MB`);
measure(
  '100 English words',
  Array.from({ length: 3000 }, () => make(english, 100, ' ')),
);
measure(
  '300 Japanese characters',
  Array.from({ length: 1500 }, () => make(japanese, 200, '').slice(0, 300)),
);
measure(
  '10-word queries',
  Array.from({ length: 10000 }, () => make(english, 10, ' ')),
);

const match = createTokenMatch(encoder);
const query = make(english, 10, ' ');
const lists = Array.from({ length: 60 }, () =>
  Array.from({ length: 20 }, () => ({ title: '', text: make(english, 100, ' ') })),
);
const times = lists.map((passages) => {
  const start = performance.now();
  match(query, passages);
  return performance.now() - start;
});
times.sort((a, b) => a - b);
console.log(
  `token match, 10-word query on 20 passages of 100 words: median ${(times[30] ?? 0).toFixed(2)} ms, p95 ${(times[57] ?? 0).toFixed(2)} ms`,
);
