/** Whose fault an error is. Callers' faults are 4xx, everything else 5xx (or 429 from upstream). */
export type Fault = 'caller' | 'upstream' | 'us';

interface ErrorRow {
  status: number;
  fault: Fault;
  /** True where the same call may succeed later without a change. */
  retryable: boolean;
  en: string;
  ja: string;
}

/**
 * The one table of errors. `{name}` in a message is filled from the error's `values`.
 * The code is the doc anchor: docs/reference/errors.md#<code>.
 */
export const ERRORS = {
  invalid_request: {
    status: 400,
    fault: 'caller',
    retryable: false,
    en: 'The request is not valid: {problem}',
    ja: 'リクエストが正しくありません: {problem}',
  },
  invalid_json: {
    status: 400,
    fault: 'caller',
    retryable: false,
    en: 'The body is not valid JSON.',
    ja: '本文が正しい JSON ではありません。',
  },
  unsupported_parameter: {
    status: 400,
    fault: 'caller',
    retryable: false,
    en: 'The target of route "{route}" cannot carry: {parameters}. Remove it or choose another route.',
    ja: 'ルート「{route}」の接続先では {parameters} を扱えません。取り除くか、別のルートを選んでください。',
  },
  context_too_long: {
    status: 400,
    fault: 'caller',
    retryable: false,
    en: 'The prompt does not fit into the context window of the model.[ It needs at least {tokens} tokens, and {limit} fit.]',
    ja: 'プロンプトがモデルのコンテキスト長を超えています。[（少なくとも {tokens} トークン必要ですが、入るのは {limit} トークンです。）]',
  },
  content_refused: {
    status: 400,
    fault: 'caller',
    retryable: false,
    en: 'The upstream refused the content of the request by its policy.',
    ja: '上流のポリシーによりリクエストの内容が拒否されました。',
  },
  missing_key: {
    status: 401,
    fault: 'caller',
    retryable: false,
    en: 'No API key was given. Send "Authorization: Bearer <key>" or "x-api-key: <key>".',
    ja: 'API キーがありません。「Authorization: Bearer <キー>」または「x-api-key: <キー>」を送ってください。',
  },
  invalid_key: {
    status: 401,
    fault: 'caller',
    retryable: false,
    en: 'The API key is not known, revoked or expired.',
    ja: 'API キーが登録されていないか、取り消されたか、期限切れです。',
  },
  budget_exhausted: {
    status: 402,
    fault: 'caller',
    retryable: false,
    en: 'The budget of {whose} for this {period} is used up.',
    ja: '{whose}の{period}の予算を使い切りました。',
  },
  unpriced_model: {
    status: 402,
    fault: 'caller',
    retryable: false,
    en: 'The model "{model}" has no known price and may not be called where a budget is in force.',
    ja: 'モデル「{model}」の価格が登録されていないため、予算が設定されている間は呼び出せません。',
  },
  forbidden: {
    status: 403,
    fault: 'caller',
    retryable: false,
    en: 'This key may not do that: {action}.',
    ja: 'このキーには許可されていません: {action}。',
  },
  route_forbidden: {
    status: 403,
    fault: 'caller',
    retryable: false,
    en: 'This key may not use the model "{route}".',
    ja: 'このキーではモデル「{route}」を使えません。',
  },
  route_not_found: {
    status: 404,
    fault: 'caller',
    retryable: false,
    en: 'There is no model "{route}". Known models: {known}.',
    ja: 'モデル「{route}」はありません。使えるモデル: {known}。',
  },
  collection_not_found: {
    status: 404,
    fault: 'caller',
    retryable: false,
    en: 'There is no collection "{collection}".',
    ja: 'コレクション「{collection}」はありません。',
  },
  document_not_found: {
    status: 404,
    fault: 'caller',
    retryable: false,
    en: 'There is no document "{document}" in the collection "{collection}".',
    ja: 'コレクション「{collection}」に文書「{document}」はありません。',
  },
  not_found: {
    status: 404,
    fault: 'caller',
    retryable: false,
    en: 'There is nothing at {path}. GET /openapi.json lists every address.',
    ja: '{path} には何もありません。アドレスの一覧は GET /openapi.json にあります。',
  },
  method_not_allowed: {
    status: 405,
    fault: 'caller',
    retryable: false,
    en: '{path} does not take {method}.',
    ja: '{path} は {method} を受け付けません。',
  },
  fingerprint_mismatch: {
    status: 409,
    fault: 'caller',
    retryable: false,
    en: 'The index of the collection "{collection}" was made with {have}, not with {want}, and the one that is to replace it is not live. GET /v1/collections/{collection} tells why.',
    ja: 'コレクション「{collection}」の索引は {have} で作られており、{want} とは混ぜられません。置き換える索引はまだ有効になっていません。理由は GET /v1/collections/{collection} で確認できます。',
  },
  conflict: {
    status: 409,
    fault: 'caller',
    retryable: false,
    en: 'That is in conflict with what exists: {problem}',
    ja: '既存のものと矛盾します: {problem}',
  },
  idempotency_in_progress: {
    status: 409,
    fault: 'caller',
    retryable: true,
    en: 'The first call with this Idempotency-Key is still being answered. Try again in {seconds} s.',
    ja: 'この Idempotency-Key の最初の呼び出しはまだ処理中です。{seconds} 秒後にもう一度お試しください。',
  },
  idempotency_not_kept: {
    status: 409,
    fault: 'caller',
    retryable: false,
    en: 'The first call with this Idempotency-Key was answered, but its answer was larger than {limit} bytes and was not kept. To call again, send another key.',
    ja: 'この Idempotency-Key の最初の呼び出しには回答済みですが、回答が {limit} バイトを超えたため保存されていません。もう一度呼び出すには別のキーを送ってください。',
  },
  idempotency_mismatch: {
    status: 422,
    fault: 'caller',
    retryable: false,
    en: 'This Idempotency-Key was first sent with another request. Send another key, or the same request.',
    ja: 'この Idempotency-Key は最初に別のリクエストで使われました。別のキーを送るか、同じリクエストを送ってください。',
  },
  body_too_large: {
    status: 413,
    fault: 'caller',
    retryable: false,
    en: 'The body is larger than {limit} bytes.',
    ja: '本文が {limit} バイトを超えています。',
  },
  body_too_slow: {
    status: 408,
    fault: 'caller',
    retryable: true,
    en: 'The body did not arrive within {seconds} s.',
    ja: '本文が {seconds} 秒以内に届きませんでした。',
  },
  unsupported_media: {
    status: 415,
    fault: 'caller',
    retryable: false,
    en: 'Files of the type "{type}" cannot be read. Known types: {known}.',
    ja: '「{type}」形式のファイルは読めません。読める形式: {known}。',
  },
  unsupported_encoding: {
    status: 415,
    fault: 'caller',
    retryable: false,
    en: 'A body with the content-encoding "{encoding}" is not taken. Send it uncompressed.',
    ja: 'content-encoding が「{encoding}」の本文は受け付けません。圧縮せずに送ってください。',
  },
  unreadable_document: {
    status: 422,
    fault: 'caller',
    retryable: false,
    en: 'The document "{document}" cannot be read: {problem}',
    ja: '文書「{document}」を読めません: {problem}',
  },
  source_unreadable: {
    status: 502,
    fault: 'upstream',
    retryable: true,
    en: 'The source cannot be read: {problem}',
    ja: 'データソースを読み取れません: {problem}',
  },
  source_not_found: {
    status: 404,
    fault: 'caller',
    retryable: false,
    en: 'There is no source "{source}".',
    ja: 'データソース「{source}」はありません。',
  },
  rate_limited: {
    status: 429,
    fault: 'caller',
    retryable: true,
    en: 'The limit of {whose} is reached: {limit}. Try again in {seconds} s.',
    ja: '{whose}の上限に達しました: {limit}。{seconds} 秒後にもう一度お試しください。',
  },
  route_conditions_unmet: {
    status: 400,
    fault: 'caller',
    retryable: false,
    en: 'No group of the route "{route}" takes this call: its conditions on model, tenant, team, tags or size do not hold.',
    ja: 'ルート「{route}」にはこの呼び出しを受けるグループがありません（モデル、テナント、チーム、タグ、サイズの条件を満たしません）。',
  },
  caller_left: {
    status: 499,
    fault: 'caller',
    retryable: false,
    en: 'The caller closed the connection before the answer was complete.',
    ja: '回答の完了前に呼び出し側が接続を閉じました。',
  },
  internal: {
    status: 500,
    fault: 'us',
    retryable: true,
    en: 'Something went wrong on our side. The log has the cause under this request id.',
    ja: 'こちら側で問題が起きました。原因はこのリクエスト ID でログに記録されています。',
  },
  upstream_rejected: {
    status: 400,
    fault: 'caller',
    retryable: false,
    en: 'The upstream rejected the request: {problem}',
    ja: '上流がリクエストを受け付けませんでした: {problem}',
  },
  upstream_credential: {
    status: 502,
    fault: 'upstream',
    retryable: false,
    en: 'The upstream did not accept our credential for "{target}". "sekisho doctor" says how to mend it.',
    ja: '上流が「{target}」の認証情報を受け付けませんでした。「sekisho doctor」で直し方を確認できます。',
  },
  upstream_not_found: {
    status: 502,
    fault: 'upstream',
    retryable: false,
    en: 'The upstream of "{target}" does not know the model or the address.',
    ja: '「{target}」の上流にそのモデルまたはアドレスがありません。',
  },
  upstream_rate_limited: {
    status: 429,
    fault: 'upstream',
    retryable: true,
    en: 'The upstream of "{target}" limits our rate.',
    ja: '「{target}」の上流でレート制限を受けています。',
  },
  upstream_failed: {
    status: 502,
    fault: 'upstream',
    retryable: true,
    en: 'The upstream of "{target}" failed.',
    ja: '「{target}」の上流で障害が起きました。',
  },
  upstream_unreachable: {
    status: 502,
    fault: 'upstream',
    retryable: true,
    en: 'The upstream of "{target}" cannot be reached.',
    ja: '「{target}」の上流に接続できません。',
  },
  upstream_broken: {
    status: 502,
    fault: 'upstream',
    retryable: true,
    en: 'The upstream of "{target}" broke off or sent something that is not an answer.',
    ja: '「{target}」の上流の回答が途中で切れたか、正しい形式ではありませんでした。',
  },
  upstream_timeout: {
    status: 504,
    fault: 'upstream',
    retryable: true,
    en: 'The upstream of "{target}" did not answer in time ({phase}).',
    ja: '「{target}」の上流が時間内に応答しませんでした（{phase}）。',
  },
  not_indexed_yet: {
    status: 503,
    fault: 'upstream',
    retryable: true,
    en: '{waiting} documents could not be indexed yet: {reason}',
    ja: '{waiting} 件の文書をまだ登録できていません: {reason}',
  },
  answer_withheld: {
    status: 502,
    fault: 'upstream',
    retryable: false,
    en: 'The answer was withheld: the model repeated its instructions, as it does when a document has led it astray.',
    ja: '回答を差し止めました。文書に書かれた指示に従ったとみられ、モデルが自身への指示を繰り返したためです。',
  },
  no_healthy_target: {
    status: 503,
    fault: 'upstream',
    retryable: true,
    en: 'No target of "{route}" can be called now ({states}). Try again in {seconds} s.',
    ja: '現在「{route}」の接続先はどれも呼び出せません（{states}）。{seconds} 秒後にもう一度お試しください。',
  },
  target_busy: {
    status: 503,
    fault: 'us',
    retryable: true,
    en: 'The target "{target}" has all of its {concurrency} calls in flight and no place to wait. Try again in {seconds} s.',
    ja: '接続先「{target}」は同時呼び出し数の上限 {concurrency} に達しており、待ち行列にも空きがありません。{seconds} 秒後にもう一度お試しください。',
  },
  storage_unavailable: {
    status: 503,
    fault: 'us',
    retryable: true,
    en: 'A store cannot be reached right now. Nothing that was acknowledged is lost.',
    ja: '現在ストレージに接続できません。受理済みのデータは失われていません。',
  },
  overloaded: {
    status: 503,
    fault: 'us',
    retryable: true,
    en: 'Too much at once: {problem}. Try again shortly.',
    ja: '混み合っています: {problem}。しばらくしてからもう一度お試しください。',
  },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;
export type Language = 'en' | 'ja';

/** A word of ours that stands in a message, in both languages. */
export interface Wording {
  en: string;
  ja: string;
}

/** What fills the placeholders of a message. */
export type ErrorValues = Record<string, string | number | Wording>;

export interface ErrorOptions {
  /** What fills the placeholders of the message. Never secrets, never upstream bodies. */
  values?: ErrorValues;
  /** For the log only. */
  cause?: unknown;
  /** The field at fault, as the dialects name it (`messages[0].role`). */
  param?: string;
  retryAfterMs?: number;
  /** Headers that go with the error to the caller, as the x-ratelimit ones. */
  headers?: readonly (readonly [string, string])[];
}

/** The one error that crosses rooms. Its message is English; `messageIn` gives either language. */
export class SekishoError extends Error {
  readonly code: ErrorCode;
  readonly status: number;
  readonly fault: Fault;
  readonly retryable: boolean;
  readonly values: ErrorValues;
  readonly param: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly headers: readonly (readonly [string, string])[];

  constructor(code: ErrorCode, options: ErrorOptions = {}) {
    const row: ErrorRow = ERRORS[code];
    super(fill(row.en, options.values ?? {}, 'en'), { cause: options.cause });
    this.name = 'SekishoError';
    this.code = code;
    this.status = row.status;
    this.fault = row.fault;
    this.retryable = row.retryable;
    this.values = options.values ?? {};
    this.param = options.param;
    this.retryAfterMs = options.retryAfterMs;
    this.headers = options.headers ?? [];
  }

  messageIn(language: Language): string {
    return fill(ERRORS[this.code][language], this.values, language);
  }
}

/**
 * The one translator from whatever was thrown. A SekishoError stays itself; an abort is the caller
 * leaving; everything else is ours and keeps its cause for the log.
 */
export function toSekishoError(thrown: unknown): SekishoError {
  if (thrown instanceof SekishoError) return thrown;
  if (thrown instanceof Error && thrown.name === 'AbortError')
    return new SekishoError('caller_left', { cause: thrown });
  return new SekishoError('internal', { cause: thrown });
}

/** A part in square brackets stands only where all of its values are given. */
function fill(template: string, values: ErrorValues, language: Language): string {
  const complete = template.replace(/\[([^\]]*)\]/g, (_, part: string) =>
    [...part.matchAll(/\{(\w+)\}/g)].every(([, name = '']) => values[name] !== undefined) ? part : '',
  );
  return complete.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name] ?? '?';
    return typeof value === 'object' ? value[language] : String(value);
  });
}
