import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';

/** A Lua script and the digest by which a server that has seen it knows it. */
export interface Script {
  lua: string;
  sha: string;
}

export function scriptOf(lua: string): Script {
  return { lua, sha: createHash('sha1').update(lua).digest('hex') };
}

/** Runs a script by its digest; a server that has not seen it, or has started anew, is sent the text. */
export async function runScript(
  client: Redis,
  script: Script,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<unknown> {
  try {
    return await client.evalsha(script.sha, keys.length, ...keys, ...args);
  } catch (thrown) {
    if (!(thrown instanceof Error) || !thrown.message.startsWith('NOSCRIPT')) throw thrown;
    return await client.eval(script.lua, keys.length, ...keys, ...args);
  }
}
