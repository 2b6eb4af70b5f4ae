import { gather } from '../../lib/gather.ts';
import { isJsonObject, parseJson } from '../../lib/json.ts';
import type { CacheSelection, CacheStore } from '../../ports/cache-store.ts';
import type { RedisConnection } from './redis-connection.ts';

/**
 * An entry is a hash of its value and the digests of its tags; a tag is a set of the entries that carry it. An
 * entry whose tag does not know it is not given out: where Redis evicts a set under memory pressure, what could
 * no longer be removed by it is gone as well.
 */
const GET = `
local values = {}
for at, key in ipairs(KEYS) do
  local found = redis.call('HMGET', key, 'value', 'tags')
  local value = found[1]
  if value and found[2] then
    for tag in string.gmatch(found[2], '%S+') do
      if redis.call('SISMEMBER', ARGV[1] .. tag, key) == 0 then value = false end
    end
  end
  values[at] = value
end
return values`;

const SET = `
local entry, prefix, ttl, most = KEYS[1], ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4])
for at = 5, #ARGV do
  local tag = prefix .. ARGV[at]
  if redis.call('SCARD', tag) >= most and redis.call('SISMEMBER', tag, entry) == 0 then return 0 end
end
redis.call('DEL', entry)
redis.call('HSET', entry, 'value', ARGV[2])
if #ARGV > 4 then redis.call('HSET', entry, 'tags', table.concat(ARGV, ' ', 5)) end
redis.call('PEXPIRE', entry, ttl)
for at = 5, #ARGV do
  local tag = prefix .. ARGV[at]
  redis.call('SADD', tag, entry)
  if redis.call('PTTL', tag) < ttl then redis.call('PEXPIRE', tag, ttl) end
end
return 1`;

const REMOVE_TAGGED = `
local entries = redis.call('SPOP', KEYS[1], ARGV[1])
local removed = 0
for _, entry in ipairs(entries) do removed = removed + redis.call('UNLINK', entry) end
return { #entries, removed }`;

/** Entries that one tag can remove; what would be one more is not kept. */
const MAX_TAGGED = 200_000;
const KEYS_PER_GET = 128;
const ENTRIES_PER_STEP = 1_000;

/**
 * A cache in Redis, for all replicas. Removals are published; a replica whose subscription broke is told to
 * forget everything when it stands again, because it may have missed some.
 */
export function createRedisCacheStore(options: { connection: RedisConnection }): CacheStore {
  const { connection } = options;
  const entryPrefix = `${connection.prefix}cache:entry:`;
  const tagPrefix = `${connection.prefix}cache:tag:`;
  const channel = `${connection.prefix}cache:removed`;
  const listeners: ((selection: CacheSelection) => void)[] = [];
  let subscriber: ReturnType<RedisConnection['duplicate']> | undefined;

  const get = gather<string, Uint8Array | undefined>(KEYS_PER_GET, async (keys) => {
    const entries = keys.map((key) => entryPrefix + key);
    const values = await connection.run((client) => client.callBuffer('EVAL', GET, keys.length, ...entries, tagPrefix));
    return Array.isArray(values) ? values.map((value) => (Buffer.isBuffer(value) ? value : undefined)) : [];
  });

  function subscribe(): void {
    const own = connection.duplicate();
    subscriber = own;
    let stood = false;
    own.on('message', (_: string, message: string) => {
      const selection = selectionOf(message);
      if (selection !== undefined) for (const listener of listeners) listener(selection);
    });
    own.on('ready', () => {
      own.subscribe(channel).then(
        () => {
          if (stood) for (const listener of listeners) listener({ pattern: '*' });
          stood = true;
        },
        () => undefined,
      );
    });
  }

  const publish = (selection: CacheSelection): Promise<number> =>
    connection.run((client) => client.publish(channel, JSON.stringify(selection)));

  async function removeTagged(tag: string): Promise<number> {
    let total = 0;
    for (let popped = ENTRIES_PER_STEP; popped === ENTRIES_PER_STEP;) {
      const answer = await connection.run((client) =>
        client.call('EVAL', REMOVE_TAGGED, 1, tagPrefix + digest(tag), ENTRIES_PER_STEP),
      );
      const [found, removed] = Array.isArray(answer) ? answer.map(Number) : [];
      popped = found ?? 0;
      total += removed ?? 0;
    }
    return total;
  }

  async function removeMatching(pattern: string): Promise<number> {
    const match = literal(entryPrefix) + pattern.replace(/[[\]\\^-]/g, '\\$&');
    let total = 0;
    let cursor = '0';
    do {
      cursor = await connection.run(async (client) => {
        const [next, found] = await client.scan(cursor, 'MATCH', match, 'COUNT', ENTRIES_PER_STEP);
        if (found.length > 0) total += await client.unlink(...found);
        return next;
      });
    } while (cursor !== '0');
    return total;
  }

  return {
    get: (key) => get(key).catch(() => undefined),

    set: async (key, { value, ttlMs, tags }) => {
      const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
      const ttl = Math.max(1, Math.ceil(ttlMs));
      await connection
        .run((client) =>
          client.call('EVAL', SET, 1, entryPrefix + key, tagPrefix, bytes, ttl, MAX_TAGGED, ...tags.map(digest)),
        )
        .catch(() => undefined);
    },

    remove: async (selection) => {
      // Told before, so that nobody keeps what is on its way in; told after, for what was read in between.
      await publish(selection);
      const removed = await ('tag' in selection ? removeTagged(selection.tag) : removeMatching(selection.pattern));
      await publish(selection);
      return removed;
    },

    onRemoved: (listener) => {
      listeners.push(listener);
      if (subscriber === undefined) subscribe();
    },

    close: () => {
      subscriber?.disconnect();
      return Promise.resolve();
    },
  };
}

/** Tags come from callers and may hold anything; their digests hold nothing that a script or a set trips over. */
function digest(tag: string): string {
  return new Bun.CryptoHasher('sha256').update(tag).digest('base64url');
}

/** A text of which Redis's patterns read every character as itself. */
function literal(text: string): string {
  return text.replace(/[*?[\]\\^-]/g, '\\$&');
}

function selectionOf(message: string): CacheSelection | undefined {
  const selection = parseJson(message);
  if (!isJsonObject(selection)) return undefined;
  const { tag, pattern } = selection;
  if (typeof tag === 'string') return { tag };
  return typeof pattern === 'string' ? { pattern } : undefined;
}
