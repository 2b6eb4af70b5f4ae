import type { Vault } from '../../access/vault.ts';
import type { Clock } from '../../lib/clock.ts';
import { createGuardedRequest, type GuardedRequestOptions } from '../../lib/guarded-request.ts';
import type { Sleep } from '../../lib/sleep.ts';
import type { Connector } from './connectors/connector.ts';
import { createCrawlConnector } from './connectors/crawl.ts';
import { createFolderConnector } from './connectors/folder.ts';
import { createGitConnector } from './connectors/git.ts';
import { createPolite } from './connectors/polite.ts';
import { createS3Connector } from './connectors/s3.ts';
import { createSitemapConnector } from './connectors/sitemap.ts';
import { createUploadConnector } from './connectors/upload.ts';
import { createUrlConnector } from './connectors/url.ts';
import { reachOf } from './reach-of.ts';
import { openCredentials } from './source-credentials.ts';
import type { StoredSource } from './source-store.ts';

export interface ConnectorOfDeps {
  vault: Vault;
  folders: readonly string[];
  isListedHost: (hostname: string) => boolean;
  clock: Clock;
  sleep: Sleep;
  /** Most items of one listing; a crawl stops there before it fetches more. */
  maxItems: number;
  /** For tests: how names resolve and where connections go. */
  network?: Pick<GuardedRequestOptions, 'resolve' | 'fetch'>;
}

const FILE_BOUNDS = { maxBytes: 50 * 1024 * 1024, timeoutMs: 120_000, maxRedirects: 5 };
/** A repository comes in one piece. */
const PACK_BOUNDS = { maxBytes: 512 * 1024 * 1024, timeoutMs: 1_800_000, maxRedirects: 3 };

/** The connector of a source, with what it is let in by. */
export function createConnectorOf(deps: ConnectorOfDeps): (source: StoredSource) => Connector {
  return (source) => {
    const { settings } = source;
    const { folders, isListedHost } = reachOf(deps, source.tenantId);
    const guard = { isListedHost, ...deps.network };
    const request = createGuardedRequest({ ...FILE_BOUNDS, ...guard });
    const requestPack = createGuardedRequest({ ...PACK_BOUNDS, ...guard });
    const given = openCredentials(deps.vault, source);
    const header = given !== undefined && 'authorization' in given ? { authorization: given.authorization } : undefined;
    const credentials = header === undefined ? {} : { credentials: header };
    switch (settings.kind) {
      case 'upload':
        return createUploadConnector([]);
      case 'folder':
        return createFolderConnector({ ...settings, roots: folders });
      case 'url':
        return createUrlConnector({ request, url: settings.url, ...credentials });
      case 'sitemap': {
        const polite = createPolite({ ...deps, request, delayMs: settings.delay_ms, ...credentials });
        return createSitemapConnector({ ...settings, polite, maxItems: deps.maxItems });
      }
      case 'crawl': {
        const polite = createPolite({ ...deps, request, delayMs: settings.delay_ms, ...credentials });
        return createCrawlConnector({ ...settings, polite, maxDepth: settings.max_depth, maxItems: deps.maxItems });
      }
      case 'git': {
        const basic = given !== undefined && 'password' in given ? basicOf(given) : undefined;
        return createGitConnector({ ...settings, request: requestPack, credentials: basic ?? header ?? {} });
      }
      case 's3': {
        const keys = given !== undefined && 'access_key_id' in given ? given : undefined;
        return createS3Connector({ ...settings, request, ...(keys && { keys }) });
      }
      default:
        return settings satisfies never;
    }
  };
}

function basicOf({ username, password }: { username: string; password: string }): Record<string, string> {
  return { authorization: `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}` };
}
