import { isIP } from 'node:net';
import { isPublicAddress } from '../../lib/public-address.ts';
import { SekishoError } from '../../spec/errors.ts';
import { allowedFolder } from './connectors/folder.ts';
import { SourceProblem } from './connectors/connector.ts';
import { nextRunMs } from './next-run.ts';
import type { Reach } from './reach-of.ts';
import type { RemovalPolicy } from './source.ts';
import { addressesOf, type SourceCredentials, type SourceSettings } from './source-settings.ts';

/** What is wanted of a source, as it stands after a change. */
export interface WantedSource {
  settings: SourceSettings;
  credentials: SourceCredentials | undefined;
  schedule: string | null;
  timeZone: string;
  removal: RemovalPolicy;
  nowMs: number;
}

const KINDS_OF_CREDENTIALS: Record<SourceSettings['kind'], readonly string[]> = {
  upload: [],
  folder: [],
  url: ['authorization'],
  sitemap: ['authorization'],
  crawl: ['authorization'],
  git: ['password', 'authorization'],
  s3: ['access_key_id'],
};

/**
 * Judges what a source is to be before it is stored. Names are resolved only when a source runs; an address that is
 * written out is judged here.
 * @throws SekishoError invalid_request, naming the field.
 */
export async function judgeSource(reach: Reach, wanted: WantedSource): Promise<void> {
  const { settings, credentials } = wanted;
  if (wanted.schedule !== null) {
    if (settings.kind === 'upload') throw wrong('schedule', 'uploads have none: nothing is fetched');
    if (nextRunMs(wanted.schedule, wanted.timeZone, wanted.nowMs) === null) throw wrong('schedule', 'is never due');
  }
  // A zone is judged even where nothing is scheduled yet.
  nextRunMs('0 0 * * *', wanted.timeZone, wanted.nowMs);
  for (const address of addressesOf(settings)) {
    const { hostname, protocol } = new URL(address);
    const host = hostname.replace(/^\[|\]$/g, '');
    if (isIP(host) !== 0 && !isPublicAddress(host) && !reach.isListedHost(host)) {
      throw wrong('settings', 'this host is not on the list sources.hosts of the configuration');
    }
    if (credentials !== undefined && protocol !== 'https:' && !reach.isListedHost(host)) {
      throw wrong('credentials', 'are sent over https only, or to a host of sources.hosts');
    }
  }
  if (credentials !== undefined && !KINDS_OF_CREDENTIALS[settings.kind].some((field) => field in credentials)) {
    throw wrong('credentials', `a source of the kind ${settings.kind} does not take these`);
  }
  if (settings.kind === 'crawl' && settings.prefix !== undefined && !isBelow(settings.url, settings.prefix)) {
    throw wrong('settings.url', 'does not lie below the prefix');
  }
  if (settings.kind !== 'folder') return;
  try {
    await allowedFolder(settings.path, reach.folders);
  } catch (thrown) {
    if (thrown instanceof SourceProblem) throw wrong('settings.path', thrown.message);
    throw thrown;
  }
}

function isBelow(url: string, prefix: string): boolean {
  return new URL(url).href.startsWith(new URL(prefix).href);
}

function wrong(param: string, problem: string): SekishoError {
  return new SekishoError('invalid_request', { values: { problem: `${param}: ${problem}` }, param });
}
