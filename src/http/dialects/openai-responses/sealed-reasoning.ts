import type { ContentPart } from '../../../spec/chat.ts';

type Reasoning = Extract<ContentPart, { type: 'reasoning' }>;

/** Begins what we put into `encrypted_content`, to tell it from what the vendor of the dialect seals itself. */
const SIGNATURE = 'sekisho.signature.';
const REDACTED = 'sekisho.redacted.';

/** What a caller must send back with reasoning so that its model takes it again; undefined where nothing seals it. */
export function sealReasoning({ signature, redacted }: Pick<Reasoning, 'signature' | 'redacted'>): string | undefined {
  if (redacted !== undefined) return REDACTED + redacted;
  return signature === undefined || signature === '' ? undefined : SIGNATURE + signature;
}

/** The reverse. What the vendor of the dialect sealed only that vendor can open: elsewhere its text alone is known. */
export function openReasoning(text: string, sealed: string | undefined): Reasoning {
  if (sealed?.startsWith(REDACTED) === true) {
    return { type: 'reasoning', text: '', redacted: sealed.slice(REDACTED.length) };
  }
  if (sealed?.startsWith(SIGNATURE) === true) {
    return { type: 'reasoning', text, signature: sealed.slice(SIGNATURE.length) };
  }
  return { type: 'reasoning', text };
}
