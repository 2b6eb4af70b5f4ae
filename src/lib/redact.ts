const MAX_CHARACTERS = 4_000;

/** What looks like a credential: known key prefixes, bearer tokens, key-like query parameters, JWTs. */
const SECRETS = [
  /\b(?:sk|pk|rk|gsk|xai|key|hf|r8)[-_][A-Za-z0-9_-]{12,}/g,
  /\bAIza[A-Za-z0-9_-]{20,}/g,
  /\bBearer\s+[A-Za-z0-9._~+/=-]{8,}/gi,
  /([?&](?:api[-_]?key|key|token|signature|sig)=)[^&\s"']+/gi,
  /\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*/g,
];

/** A text fit for the log: credentials replaced, control characters escaped, bounded in length. */
export function redactText(text: string): string {
  let safe = text.length > MAX_CHARACTERS ? `${text.slice(0, MAX_CHARACTERS)}…` : text;
  for (const pattern of SECRETS)
    safe = safe.replace(pattern, (_, kept: unknown) => (typeof kept === 'string' ? `${kept}[secret]` : '[secret]'));
  // Terminals act on control characters, so none but the line feed reaches them.
  return safe.replace(/(?!\n)\p{Cc}/gu, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
