import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { Secret } from '../lib/secret.ts';

/** Keeps upstream credentials so that whoever reads the database alone cannot read them. */
export interface Vault {
  /** Seals a text for one place; what is sealed for one place does not open at another. */
  seal(text: Secret, place: string): string;
  /** @throws Error where the text was sealed with another master key or for another place, or was changed. */
  open(sealed: string, place: string): Secret;
}

const FORMAT = 'v1';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;

/**
 * Envelope encryption: each text has a random key of its own (AES-256-GCM, NIST SP 800-38D), which is wrapped
 * by a key derived from the master key (HKDF, RFC 5869). The place is authenticated with both.
 */
export function createVault(options: { masterKey: Secret }): Vault {
  const wrappingKey = Buffer.from(hkdfSync('sha256', options.masterKey.reveal(), '', 'sekisho vault v1', KEY_BYTES));
  return {
    seal: (text, place) => {
      const dataKey = randomBytes(KEY_BYTES);
      const wrapped = encrypt(wrappingKey, dataKey, place);
      const content = encrypt(dataKey, Buffer.from(text.reveal(), 'utf8'), place);
      return [FORMAT, wrapped.toString('base64url'), content.toString('base64url')].join('.');
    },
    open: (sealed, place) => {
      const [format, wrapped, content] = sealed.split('.');
      if (format !== FORMAT || wrapped === undefined || content === undefined) {
        throw new Error('A sealed value is of an unknown form.');
      }
      try {
        const dataKey = decrypt(wrappingKey, Buffer.from(wrapped, 'base64url'), place);
        return new Secret(decrypt(dataKey, Buffer.from(content, 'base64url'), place).toString('utf8'));
      } catch (cause) {
        throw new Error('A sealed value does not open: it was sealed with another master key, or changed.', { cause });
      }
    },
  };
}

function encrypt(key: Buffer, plain: Buffer, place: string): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(place, 'utf8'));
  const content = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), content]);
}

function decrypt(key: Buffer, sealed: Buffer, place: string): Buffer {
  const nonce = sealed.subarray(0, NONCE_BYTES);
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
    .setAAD(Buffer.from(place, 'utf8'))
    .setAuthTag(sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
  return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]);
}
