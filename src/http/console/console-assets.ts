import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const TYPES: Record<string, string> = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
};

/** Nothing from elsewhere, nothing inline, no frame, no form, no HTML made from strings. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "font-src 'none'",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const COMMON_HEADERS = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), microphone=(), geolocation=()',
};

interface Asset {
  body: Uint8Array<ArrayBuffer>;
  headers: Record<string, string>;
}

/**
 * Serves the built console from memory: `/console` and `/docs` are its pages, `/console/assets/<name>` its
 * files. Only what lay in `folder` when this was called has an address; no path is ever joined to a folder,
 * so there is nothing to traverse. Other paths, and every path of a folder that does not exist, give undefined.
 */
export function createConsoleAssets(options: { folder: string }): (path: string) => Response | undefined {
  const assets = readAssets(options.folder);
  return (path) => {
    const asset = assets.get(path);
    return asset === undefined ? undefined : new Response(asset.body, { headers: asset.headers });
  };
}

function readAssets(folder: string): Map<string, Asset> {
  const assets = new Map<string, Asset>();
  const pages = { 'index.html': ['/console', '/console/'], 'docs.html': ['/docs', '/docs/'] };
  for (const [file, paths] of Object.entries(pages)) {
    const body = readOrNothing(join(folder, file));
    if (body === undefined) continue;
    const headers = { ...COMMON_HEADERS, 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-cache' };
    for (const path of paths) assets.set(path, { body, headers });
  }
  for (const file of assetNames(join(folder, 'assets'))) {
    const type = TYPES[file.slice(file.lastIndexOf('.') + 1)];
    const body = readOrNothing(join(folder, 'assets', file));
    if (type === undefined || body === undefined) continue;
    const cache = 'public, max-age=31536000, immutable';
    const headers = { ...COMMON_HEADERS, 'content-type': type, 'cache-control': cache };
    assets.set(`/console/assets/${file}`, { body, headers });
  }
  return assets;
}

function assetNames(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => entry.name);
  } catch {
    return [];
  }
}

function readOrNothing(file: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return new Uint8Array(readFileSync(file));
  } catch {
    return undefined;
  }
}
