import { z } from 'zod';

const MAX_URL = 2_048;
const MAX_PATTERNS = 100;

/** Only http and https, and no user name in it: nothing that a tool would take for an option, a file or a command. */
export const webAddress = z
  .string()
  .max(MAX_URL)
  .refine((text) => {
    const url = /[\p{Cc}\s\\]/u.test(text) ? null : URL.parse(text);
    return url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
  }, 'must be an http or https URL without a user name');

const pattern = z.string().min(1).max(500);
/** Which keys are taken: at least one of `include` (all, where there is none) and none of `exclude`. */
const choice = {
  include: z.array(pattern).max(MAX_PATTERNS).default([]).describe('Glob patterns; none: everything that can be read.'),
  exclude: z.array(pattern).max(MAX_PATTERNS).default([]),
};
const relativePath = z
  .string()
  .max(1_000)
  .refine(
    (text) => !text.startsWith('/') && !text.includes('\0') && !text.split(/[/\\]/).includes('..'),
    'must be a path below, without ".."',
  );
const delay = z.int().min(0).max(600_000).default(500).describe('Milliseconds between two requests.');

/** Where a source has its documents from. Also the form in which it is stored. */
export const sourceSettingsSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('upload') }),
  z.strictObject({
    kind: z.literal('folder'),
    path: z.string().min(1).max(1_000).describe('A folder that the configuration allows, or one below.'),
    ...choice,
    watch: z.boolean().default(false).describe('A run follows each change, beside the schedule.'),
  }),
  z.strictObject({ kind: z.literal('url'), url: webAddress }),
  z.strictObject({ kind: z.literal('sitemap'), url: webAddress, ...choice, delay_ms: delay }),
  z.strictObject({
    kind: z.literal('crawl'),
    url: webAddress.describe('Where it begins.'),
    prefix: webAddress.optional().describe('Pages below this are taken. Default: the folder of the first page.'),
    ...choice,
    max_depth: z.int().min(0).max(50).default(10).describe('Links from the first page, at most.'),
    delay_ms: delay,
  }),
  z.strictObject({
    kind: z.literal('git'),
    url: webAddress,
    branch: z
      .string()
      .max(200)
      .regex(/^(?!.*(\.\.|\/\/|@\{))[A-Za-z0-9_][A-Za-z0-9_./@+#-]*$/, 'must be the name of a branch or tag')
      .optional()
      .describe('Default: what the repository calls its HEAD.'),
    path: relativePath.default('').describe('Only what lies below this folder of the repository.'),
    ...choice,
  }),
  z.strictObject({
    kind: z.literal('s3'),
    bucket: z.string().regex(/^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/i, 'must be the name of a bucket'),
    prefix: z.string().max(1_000).default(''),
    region: z
      .string()
      .regex(/^[a-z0-9-]{1,40}$/)
      .default('us-east-1'),
    endpoint: webAddress.optional().describe('Of another server than Amazon: MinIO, R2, Ceph.'),
    path_style: z.boolean().optional().describe('The bucket in the path. Default: true with an endpoint.'),
    ...choice,
  }),
]);
export type SourceSettings = z.infer<typeof sourceSettingsSchema>;
export type SourceKind = SourceSettings['kind'];

const secret = z.string().min(1).max(4_096);

/** What lets us in. Sealed as it is stored, and never told again. */
export const sourceCredentialsSchema = z.union([
  z.strictObject({ authorization: secret.regex(/^[\x20-\x7e]+$/) }).describe('A header, as "Bearer ...".'),
  z.strictObject({ username: z.string().max(200).default('git'), password: secret }).describe('Git: a token.'),
  z
    .strictObject({ access_key_id: secret, secret_access_key: secret, session_token: secret.optional() })
    .describe('S3.'),
]);
export type SourceCredentials = z.infer<typeof sourceCredentialsSchema>;

/** The place that credentials are for: where it changes, they must be entered again. */
export function destinationOf(settings: SourceSettings): string {
  switch (settings.kind) {
    case 'upload':
    case 'folder':
      return '';
    case 'url':
    case 'sitemap':
    case 'git':
      return `${settings.kind} ${settings.url}`;
    case 'crawl':
      return `${settings.kind} ${settings.url} ${settings.prefix ?? ''}`;
    case 's3':
      return JSON.stringify(['s3', settings.endpoint, settings.region, settings.bucket, settings.path_style]);
    default:
      return settings satisfies never;
  }
}

/** The addresses that a source names. */
export function addressesOf(settings: SourceSettings): string[] {
  switch (settings.kind) {
    case 'upload':
    case 'folder':
      return [];
    case 'url':
    case 'sitemap':
    case 'git':
      return [settings.url];
    case 'crawl':
      return settings.prefix === undefined ? [settings.url] : [settings.url, settings.prefix];
    case 's3':
      return settings.endpoint === undefined ? [] : [settings.endpoint];
    default:
      return settings satisfies never;
  }
}
